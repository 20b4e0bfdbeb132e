import { isValidId } from '@turnstore/core/adapter'
import { InvalidArgumentError, Option } from 'commander'

export function storeOption(): Option {
  return new Option('--store <url>', 'the store (default: TURNSTORE_URL)')
}

/** Checked before the command runs: a workspace that is empty by mistake must not mean all. */
export function workspaceOption(description: string): Option {
  return new Option('--workspace <id>', description).argParser((id: string) => {
    if (!isValidId(id)) throw new InvalidArgumentError('It must be 1 to 200 bytes without control characters.')
    return id
  })
}

export function scopeOf({ workspace }: { readonly workspace?: string }): { workspaceId?: string } {
  return workspace === undefined ? {} : { workspaceId: workspace }
}
