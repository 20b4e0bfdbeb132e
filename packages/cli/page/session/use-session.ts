import { useEffect, useReducer, useState } from 'preact/hooks'
import { SessionModel } from '../data/session-model.ts'

/** The session, drawn again whenever something of it is read or changes. */
export function useSession(id: string): SessionModel {
  const [, redraw] = useReducer((number: number, _action: 'redraw') => number + 1, 0)
  const [model] = useState(() => new SessionModel(id, () => redraw('redraw')))
  useEffect(() => {
    void model.open()
    return () => model.close()
  }, [model])
  return model
}
