import type { JsonObject } from '@turnstore/core'
import type { TurnAnswer } from '../../src/inspector/answers.ts'
import { ask } from '../data/api.ts'
import { Json } from '../widgets/json.tsx'
import { Problem } from '../widgets/small.tsx'
import { type Loaded, useLoaded } from '../widgets/use-loaded.ts'

interface Props {
  readonly id: string
  readonly turnId: string
  readonly place: number
}

/** A call whole: its arguments, its result or error, and what else was recorded. Read again when its status changes. */
export function WholeCall({ id, turnId, place, version }: Props & { readonly version: string }) {
  const loaded = useLoaded(
    signal => ask('call', { id, turn: turnId, from: place }, signal),
    [id, turnId, place, version],
  )
  return <Whole loaded={loaded} draw={drawCall} />
}

function drawCall(call: JsonObject) {
  const { arguments: given = null, result = null, error = null, tool_name: _name, ...others } = call
  return (
    <>
      <Json label="Arguments" value={given} />
      {result !== null && <Json label="Result" value={result} />}
      {error !== null && <Json label="Error" value={error} />}
      <Json label="Other members" value={others} />
    </>
  )
}

export function WholeItem({ id, turnId, place }: Props) {
  const loaded = useLoaded(signal => ask('item', { id, turn: turnId, from: place }, signal), [id, turnId, place])
  return <Whole loaded={loaded} draw={item => <Json label="Item" value={item} />} />
}

export function WholeTurn({ id, turn }: { readonly id: string; readonly turn: TurnAnswer }) {
  const loaded = useLoaded(signal => ask('turn', { id, turn: turn.turnId }, signal), [id, turn])
  return <Whole loaded={loaded} draw={head => <Json label="Turn, without its calls and items" value={head} />} />
}

function Whole({
  loaded,
  draw,
}: {
  readonly loaded: Loaded<JsonObject>
  readonly draw: (value: JsonObject) => preact.JSX.Element
}) {
  const { value, problem } = loaded
  if (problem !== null) return <Problem problem={problem} />
  return value === null ? <p class="faint">Reading …</p> : draw(value)
}
