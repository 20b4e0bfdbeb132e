import { type SearchHit, type SearchQuery, type SessionStore } from '@turnstore/core'
import { Command } from 'commander'
import { hitLines } from '../output/hit-lines.js'
import { summaryJson } from '../output/summary-json.js'
import { type Cli, jsonText } from '../terminal/cli.js'
import { metadataOf, scopeOf, storeOption, whereOption, wholeNumber, workspaceOption } from '../terminal/options.js'

interface SearchOptions {
  readonly store?: string
  readonly workspace?: string
  readonly agent?: string
  readonly where?: readonly string[]
  readonly limit: number
  readonly json?: true
}

const LIMIT = 20

export function searchCommand(cli: Cli): Command {
  return new Command('search')
    .description('find turns by words, in the sessions that were changed last first')
    .argument('<text...>', 'words, and "phrases" in double quotes; a turn has to have all of them')
    .addOption(storeOption())
    .addOption(workspaceOption('only sessions in this workspace'))
    .option('--agent <id>', 'only sessions of this agent')
    .addOption(whereOption())
    .option('--limit <n>', 'print at most n turns', wholeNumber, LIMIT)
    .option('--json', 'print an array of hits')
    .addHelpText(
      'after',
      `
Searches prompts, responses, names of tools, values in their arguments and results, and errors. Upper case and lower case
are the same. It reads all sessions until it has enough, which takes as long as reading them.

Examples:
  $ turnstore search parcel depot
  $ turnstore search '"at the depot"' --workspace acme
  $ turnstore search 荷物 --json | jq -r '.[].session.session_id'`,
    )
    .action(async (words: readonly string[], options: SearchOptions) => {
      const query: SearchQuery = {
        text: words.join(' '),
        ...scopeOf(options),
        ...(options.agent === undefined ? {} : { agentId: options.agent }),
        ...metadataOf(options),
      }
      const store = await cli.openToRead(options.store, '--store')
      const hits = hitsOf(cli, store, query, options.limit)
      await (options.json === true ? printArray(cli, hits) : printHits(cli, hits, options.limit))
    })
}

/** One more than the limit, if there are so many. */
async function* hitsOf(cli: Cli, store: SessionStore, query: SearchQuery, limit: number): AsyncGenerator<SearchHit> {
  let left = limit + 1
  for (let cursor: string | null | undefined; cursor !== null && left > 0;) {
    const after = cursor === undefined ? {} : { cursor }
    const page = await store.searchSessions({ ...query, limit: Math.min(left, 1000), ...after })
    for (const { sessionId, message } of page.damaged ?? []) cli.fail(`Not searched: session ${sessionId}. ${message}`)
    yield* page.hits
    left -= page.hits.length
    ;({ cursor } = page)
  }
}

async function printHits(cli: Cli, hits: AsyncIterable<SearchHit>, limit: number): Promise<void> {
  let number = 0
  for await (const hit of hits) {
    if (++number > limit) {
      cli.note(`There are more. Add words, or --limit ${limit * 5}.`)
      return
    }
    for (const line of hitLines(hit, cli.paint, cli.width)) await cli.printStyled(line)
  }
  if (number === 0) cli.note('No turn has these words.')
}

/** Closes the array even if the search fails, so that the output is valid JSON. */
async function printArray(cli: Cli, hits: AsyncIterable<SearchHit>): Promise<void> {
  let separator = '[\n'
  try {
    for await (const { session, turnId, field, snippet, ranges } of hits) {
      const hit = { session: summaryJson(session), turn_id: turnId, field: fieldNames[field], snippet, ranges }
      await cli.print(separator + jsonText(hit))
      separator = ',\n'
    }
  } finally {
    await cli.print(separator === '[\n' ? '[]\n' : '\n]\n')
  }
}

/** As exported turns spell them. */
const fieldNames: Readonly<Record<SearchHit['field'], string>> = {
  prompt: 'prompt',
  responseContent: 'response_content',
  toolName: 'tool_name',
  arguments: 'arguments',
  result: 'result',
  error: 'error',
}
