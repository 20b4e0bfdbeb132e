import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'

const TABLES = ['sessions', 'turns', 'parts', 'transitions', 'keys']

/** Schemas for stores that see nothing of each other. Making tables takes longer than a test, so they are used again. */
export class Schemas {
  readonly admin: Pool
  readonly #free: string[] = []

  constructor(url: string) {
    this.admin = new Pool({ connectionString: url, max: 4 })
    this.admin.on('error', () => {})
  }

  take(): string {
    return this.#free.pop() ?? `test ${randomUUID()}`
  }

  async giveBack(schema: string): Promise<void> {
    await this.admin.query(TABLES.map(name => `DELETE FROM ${this.table(schema, name)}`).join(';'))
    this.#free.push(schema)
  }

  table(schema: string, name: string): string {
    return `"${schema}"."turnstore_${name}"`
  }

  close(): Promise<void> {
    return this.admin.end()
  }
}
