import { printable } from '@turnstore/core'
import { useState } from 'preact/hooks'

/** So much of a text is shown at first, and ten times as much with each press. */
const FIRST = 6000

interface Props {
  readonly text: string
  readonly class?: string
  /** The length of the whole text, if `text` is only its beginning. */
  readonly length?: number | undefined
  /** Reads the whole. */
  readonly readAll?: (() => Promise<string>) | undefined
}

/**
 * Text from a session, as text: characters that hide, move or reorder others are shown as codes, and the direction is
 * that of the text itself.
 */
export function Text({ text: given, length = given.length, readAll, ...rest }: Props) {
  const [limit, setLimit] = useState(FIRST)
  const [whole, setWhole] = useState<string | null>(null)
  const text = whole ?? given
  const more = Math.max(length, text.length) - Math.min(limit, text.length)
  const showMore = async (): Promise<void> => {
    setLimit(limit * 10)
    if (limit * 10 > text.length && text.length < length && readAll !== undefined) setWhole(await readAll())
  }
  return (
    <>
      <div dir="auto" class={`text ${rest.class ?? ''}`}>
        {printable(text.slice(0, limit))}
      </div>
      {more > 0 && (
        <button type="button" class="more" onClick={() => void showMore()}>
          Show more ({more.toLocaleString('en')} characters left)
        </button>
      )}
    </>
  )
}
