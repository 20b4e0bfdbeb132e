import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, platform, release } from 'node:os'
import { join } from 'node:path'

const fileSystems = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlayfs',
}

/** What the figures depend on. The load is that of the minute before the run. */
export function aboutMachine(folder) {
  const { type } = statfsSync(folder)
  return {
    processor: cpus()[0].model.trim(),
    cores: availableParallelism(),
    load: loadavg()[0].toFixed(1),
    system: `${platform()} ${release()} ${arch()}`,
    fileSystem: fileSystems[type] ?? `file system 0x${type.toString(16)}`,
    node: process.versions.node,
    began: new Date().toISOString(),
  }
}

/** Of the drivers under our stores and of the libraries beside them, as they are installed. */
export function versions() {
  const here = import.meta.dirname
  const manifests = [
    ['sqlite', 'better-sqlite3'],
    ['redis', 'ioredis'],
  ].map(([store, name]) => [name, join(here, '../packages', store, 'node_modules', name, 'package.json')])
  const { dependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) manifests.push([name, join(here, 'node_modules', name, 'package.json')])
  const installed = manifests.filter(([, path]) => existsSync(path))
  return Object.fromEntries(installed.map(([name, path]) => [name, JSON.parse(readFileSync(path, 'utf8')).version]))
}
