const median = times => times.toSorted((a, b) => a - b)[times.length >> 1]
const mean = times => times.reduce((sum, time) => sum + time, 0) / times.length
const percentile99 = times => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]

/** Of fewer than a hundred times, the 99th percentile is the longest. */
export function figures(times) {
  return { median: median(times), p99: percentile99(times), mean: mean(times), count: times.length }
}

/**
 * Microseconds of each repetition of each kind of work. The kinds run in turns, block by block, so that a machine
 * whose speed drifts treats all alike. The first rounds warm up, until what is light has run some two hundred times
 * and is compiled; after them nothing is dropped. A work is a function, or `{ before, run }`, where `before` runs ahead
 * of each block and is not measured.
 */
export async function interleave(works, { repetitions, block, onProgress }) {
  const times = Object.fromEntries(Object.keys(works).map(name => [name, []]))
  const rounds = Math.ceil(repetitions / block)
  const warmUp = block === 1 ? 1 : 10
  for (let round = -warmUp; round < rounds; round++) {
    for (const [name, work] of Object.entries(works)) {
      const { before, run } = typeof work === 'function' ? { run: work } : work
      await before?.()
      for (let again = 0; again < block; again++) {
        const start = performance.now()
        await run()
        const time = (performance.now() - start) * 1000
        if (round >= 0) times[name].push(time)
      }
    }
    onProgress((round + warmUp + 1) / (rounds + warmUp))
  }
  return times
}
