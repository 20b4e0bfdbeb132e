import { get } from '../data/api.ts'
import type { SessionModel } from '../data/session-model.ts'
import { Fold } from '../widgets/fold.tsx'
import { Problem } from '../widgets/small.tsx'
import { Text } from '../widgets/text.tsx'
import { useLoaded } from '../widgets/use-loaded.ts'

/** The session as turnstore export writes it, on demand. */
export function WholeSession({ model }: { readonly model: SessionModel }) {
  return (
    <section aria-labelledby="whole-title">
      <h2 id="whole-title">The whole session</h2>
      <Fold model={model} name="session" label="JSON" about="of the whole session">
        <WholeJson id={model.id} revision={model.summary?.revision ?? 0} />
      </Fold>
    </section>
  )
}

function WholeJson({ id, revision }: { readonly id: string; readonly revision: number }) {
  const { value, problem } = useLoaded(
    async signal => {
      const record: unknown = await (await get('export', { id }, signal)).json()
      return JSON.stringify(record, null, 2)
    },
    [id, revision],
  )
  if (problem !== null) return <Problem problem={problem} />
  return value === null ? <p class="faint">Reading …</p> : <Text class="mono" text={value} />
}
