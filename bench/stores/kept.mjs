import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { append, many } from '../turns.mjs'

const CALLERS = 64
const PROCESSES = 4

/** 64 turns for one session at the same moment, from one process and, where a URL is given, from four. */
export async function measureKept(report, name, store, url) {
  const title = `${name}, turns kept`
  const remark = (work, kept) =>
    report.remark({ title, work, seen: `${kept} of ${CALLERS}`, goal: 'all', met: kept === CALLERS })
  await store.saveSession({ sessionId: 'kept' })
  await Promise.all(many(CALLERS, () => append(store, 'kept')))
  remark('64 at once in one process', (await store.loadSummary('kept')).turnCount)

  if (url === undefined) return
  await store.saveSession({ sessionId: 'kept-by-processes' })
  const path = fileURLToPath(new URL('kept-child.mjs', import.meta.url))
  const ends = many(PROCESSES, () => {
    const child = spawn(process.execPath, [path, url, 'kept-by-processes', String(CALLERS / PROCESSES)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    return once(child, 'exit')
  })
  await Promise.all(ends)
  remark('16 at once in each of 4 processes', (await store.loadSummary('kept-by-processes')).turnCount)
}

/** The same of a peer, in one process. */
export async function measureKeptByPeer(report, title, name, peer) {
  if (peer === null) return
  await peer.fill('kept', 0)
  const ends = await Promise.allSettled(many(CALLERS, () => peer.append('kept')))
  const failed = ends.filter(({ status }) => status === 'rejected').length
  const kept = await peer.count('kept').catch(() => null)
  const stored = kept === null ? 'the record cannot be read any more' : `${kept} of ${CALLERS}`
  const seen = failed === 0 ? stored : `${stored}; ${failed} calls failed`
  report.remark({ title: `${title}, turns kept`, work: `${name}, 64 at once in one process`, seen })
}
