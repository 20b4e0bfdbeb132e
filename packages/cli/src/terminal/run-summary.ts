/** What a run has done so far. It is printed at its end, also if the run is interrupted or fails. */
export interface RunSummary {
  /** Whether to print JSON instead of text. */
  readonly isJson: boolean
  /** One line, or null if the lines before it say all. */
  text(): string | null
  json(isWhole: boolean): unknown
  /** Whether nothing was done. Then the error that ended the run says all. */
  isEmpty?(): boolean
  /** For a run that can go on where it ended: how. Then the summary of an early end goes to stderr. */
  readonly toGoOn?: string
  /** What is not known of the writes in progress, to follow {@link text}. */
  doubt?(): string
}
