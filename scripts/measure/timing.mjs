export const median = times => times.toSorted((a, b) => a - b)[times.length >> 1]
const percentile99 = times => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]

/** Microseconds of each repetition of each kind of work, in turns by blocks of twenty. */
export async function interleave(works, repetitions) {
  const times = Object.fromEntries(Object.keys(works).map(name => [name, []]))
  for (let round = 0; round < repetitions / 20 + 1; round++) {
    for (const [name, work] of Object.entries(works)) {
      for (let again = 0; again < 20; again++) {
        const start = performance.now()
        await work()
        if (round > 0) times[name].push((performance.now() - start) * 1000) // the first round warms up
      }
    }
  }
  return times
}

export function report(title, times, floor) {
  const base = median(times[floor])
  for (const [name, all] of Object.entries(times)) {
    const ratio = (median(all) / base).toFixed(2).padStart(7)
    const mean = all.reduce((sum, time) => sum + time, 0) / all.length
    const figures = [median(all), percentile99(all), mean].map(time => `${time.toFixed(0)} µs`.padStart(10)).join('')
    console.log(`${title.padEnd(24)} ${name.padEnd(34)} ${ratio} ×${figures}`)
  }
}
