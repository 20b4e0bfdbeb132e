// @ts-check
import { decodeSession, encodeSession } from '@turnstore/core'
import { DocumentSessionStore, inScope } from '@turnstore/core/adapter'

/** Right: four hooks over a map of texts. What is tried with it is the command. */
export class MapStore extends DocumentSessionStore {
  /** @type {import('@turnstore/core').Capabilities} */
  capabilities = { durability: 'none', sharing: 'process', constantAppend: false }
  /** @type {Map<string, { text: string, version: number }>} */
  rows = new Map()
  versions = 0

  /** @param {string} id */
  async _get(id) {
    const row = this.rows.get(id)
    return row === undefined ? null : { session: decodeSession(JSON.parse(row.text)), token: row.version }
  }

  /**
   * @param {import('@turnstore/core').SessionRecord} session
   * @param {unknown} token
   */
  async _put(session, token) {
    if (token !== (this.rows.get(session.sessionId)?.version ?? null)) return false
    this.rows.set(session.sessionId, { text: JSON.stringify(encodeSession(session)), version: ++this.versions })
    return true
  }

  /**
   * @param {string} id
   * @param {unknown} token
   */
  async _delete(id, token) {
    return this.rows.get(id)?.version === token && this.rows.delete(id)
  }

  /** @param {import('@turnstore/core/adapter').Scope} scope */
  async _ids(scope) {
    const sessions = [...this.rows.values()].map(({ text }) => decodeSession(JSON.parse(text)))
    return sessions.filter(session => inScope(session, scope)).map(({ sessionId }) => sessionId)
  }
}
