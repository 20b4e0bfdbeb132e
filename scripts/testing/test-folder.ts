import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { Child, type ChildOptions } from './child.ts'

interface Closable {
  close(): Promise<void>
}

/** A folder for each test, with the stores and the processes that it opens on it. All are gone afterwards. */
export class TestFolder {
  base = ''
  #stores: Closable[] = []
  #children: Child[] = []

  /** @param release what else of a test's has to be closed, once its stores are */
  constructor(name: string, release: () => void = () => {}) {
    beforeEach(() => {
      this.base = realpathSync(mkdtempSync(join(tmpdir(), `turnstore-${name}-`)))
      this.#stores = []
      this.#children = []
    })
    afterEach(async () => {
      for (const child of this.#children) {
        if (!child.hasEnded) await child.kill()
      }
      for (const store of this.#stores) await store.close().catch(() => undefined)
      release()
      rmSync(this.base, { recursive: true, force: true })
    }, 60_000)
  }

  path(...names: string[]): string {
    return join(this.base, ...names)
  }

  protected keep<S extends Closable>(store: S): S {
    this.#stores.push(store)
    return store
  }

  protected start(module: string, options: ChildOptions): Child {
    const child = Child.run(module, options)
    this.#children.push(child)
    return child
  }
}
