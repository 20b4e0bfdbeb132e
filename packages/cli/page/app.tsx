import { useEffect, useState } from 'preact/hooks'
import { SessionView } from './session/session-view.tsx'
import { ask } from './data/api.ts'
import { usePlace } from './data/place.ts'
import { Help } from './keys/help.tsx'
import { ListPane } from './list/list-pane.tsx'
import { useKeys } from './keys/use-keys.ts'
import { Problem } from './widgets/small.tsx'
import { useLoaded } from './widgets/use-loaded.ts'

export function App() {
  const place = usePlace()
  const [version, setVersion] = useState(0)
  const [isHelping, setHelping] = useState(false)
  const { value: store, problem } = useLoaded(signal => ask('store', {}, signal), [])
  const refresh = (): void => setVersion(before => before + 1)
  useKeys({ refresh, help: () => setHelping(true) })
  useEffect(() => {
    if (place.session === '') document.title = 'Turnstore'
  }, [place.session])
  return (
    <div class={place.session === '' ? 'app' : 'app has-session'}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the session
      </a>
      <ListPane place={place} store={store} version={version} refresh={refresh} askHelp={() => setHelping(true)} />
      <main id="main" class="pane-session" tabIndex={-1}>
        {problem !== null && <Problem problem={problem} />}
        {place.session === '' ? (
          <div class="welcome">
            <h1>Choose a session</h1>
            <p>
              Press <kbd>/</kbd> to search, <kbd>?</kbd> for all keys.
            </p>
          </div>
        ) : (
          <SessionView key={place.session} place={place} isWritable={store?.isWritable === true} changed={refresh} />
        )}
      </main>
      {isHelping && <Help close={() => setHelping(false)} />}
    </div>
  )
}

/** Without a change of the fragment, which is the place. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}
