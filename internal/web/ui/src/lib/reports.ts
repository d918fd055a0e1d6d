// Reports of a headset as lines over its calls. Pure.

import type { Measured, Metrics, Reading, ReadingRun, Report, Tap } from './shapes'

/** One call of a headset: what its two taps reported. */
export interface Heard {
  call: string
  at: string // of the newest report
  agent: string
  mic?: Report
  wire?: Report
}

/** Reports by call, in the order of the first report of each; of two by one tap the first counts. */
export function byCall(reports: Report[]): Heard[] {
  const calls = new Map<string, Heard>()
  for (const r of reports) {
    const have = calls.get(r.call_id)
    if (have) have[r.tap] ??= r
    else calls.set(r.call_id, { call: r.call_id, at: r.at, agent: r.agent, [r.tap]: r })
  }
  return [...calls.values()]
}

/** A metric over calls, oldest first. */
export function over(calls: Heard[], tap: Tap, pick: (m: Metrics) => Measured): Measured[] {
  return calls.map((c) => {
    const r = c[tap]
    return r ? pick(r.metrics) : null
  })
}

/** What the newest call that says so says of how the boom stands: a hint, never a fault. Older reports have none. */
export function fitHint(calls: Heard[]): string {
  const newest = calls.find((c) => c.mic ?? c.wire)
  return (newest?.mic?.metrics.fit_hint || newest?.wire?.metrics.fit_hint) ?? ''
}

/** Oldest first, with the time of each in seconds since 1970; calls in one second stay apart. */
export function timeline(heard: Heard[]): { calls: Heard[]; x: number[] } {
  const calls = [...heard].sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
  let last = -Infinity
  const x = calls.map((c) => (last = Math.max(Date.parse(c.at) / 1000, last + 0.001)))
  return { calls, x }
}

/** The taps of one leg second by second, on one axis. */
export interface Seconds {
  leg: string
  x: number[]
  mic: (Reading | null)[]
  wire: (Reading | null)[]
}

export function secondBySecond(runs: ReadingRun[]): Seconds[] {
  const legs = new Map<string, Record<Tap, Map<number, Reading>>>()
  for (const run of runs) {
    const leg = legs.get(run.leg_id) ?? { mic: new Map<number, Reading>(), wire: new Map<number, Reading>() }
    legs.set(run.leg_id, leg)
    for (const r of run.readings) leg[run.tap].set(Math.round(r.at_s), r)
  }
  return [...legs].map(([leg, taps]) => {
    const x = [...new Set([...taps.mic.keys(), ...taps.wire.keys()])].sort((a, b) => a - b)
    return { leg, x, mic: x.map((s) => taps.mic.get(s) ?? null), wire: x.map((s) => taps.wire.get(s) ?? null) }
  })
}

/** Whether anything was measured at all. */
export function any(values: Measured[]): boolean {
  return values.some((v) => v !== null)
}
