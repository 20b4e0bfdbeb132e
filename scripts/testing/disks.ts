// Disks of a test's own, on Linux and as root: a small one, and one whose power fails.
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { Child } from './child.ts'

/** A disk in memory of a size, mounted on a new folder while `work` runs. */
export async function withSmallDisk(
  folder: string,
  kilobytes: number,
  work: (resize: (kilobytes: number) => void) => Promise<void>,
): Promise<void> {
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'none', folder])
  try {
    await work(larger => execFileSync('mount', ['-o', `remount,size=${larger}k`, folder]))
  } finally {
    execFileSync('umount', ['-l', folder])
  }
}

/**
 * Starts a child on an ext4 of its own, cuts the power once the child has said so many lines, and mounts
 * what is left. What the child said until just before the cut is given to `look`.
 *
 * @param folder a new one, on which the disk is mounted; the image is beside it
 */
export async function cutPower(
  folder: string,
  start: () => Child,
  lines: number,
  look: (acknowledged: string[]) => Promise<void>,
): Promise<void> {
  const image = `${folder}.image`
  execFileSync('truncate', ['-s', '48M', image])
  execFileSync('mkfs.ext4', ['-q', '-F', image])
  mkdirSync(folder)
  execFileSync('mount', ['-o', 'loop', image, folder])
  try {
    const child = start()
    const acknowledged: string[] = []
    while (acknowledged.length < lines) {
      const line = await child.line()
      if (line === null) throw new Error(child.errors)
      acknowledged.push(line)
    }
    // FS_IOC_SHUTDOWN without a flush: from here on nothing reaches the disk.
    const shutdown =
      "import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('i', 2))"
    execFileSync('python3', ['-c', shutdown, folder])
    await child.kill()
    execFileSync('umount', [folder])
    execFileSync('mount', ['-o', 'loop', image, folder])
    await look(acknowledged)
  } finally {
    execFileSync('umount', ['-l', folder])
  }
}
