import { expect, it } from 'vitest'
import { any, byCall, over, secondBySecond, timeline } from './reports'
import type { Reading, Report, Tap } from './shapes'

const report = (call: string, tap: Tap, at: string, level: number | null): Report => ({
  call_id: call,
  leg_id: 'l',
  headset: 'h',
  agent: 'ann',
  at,
  tap,
  sample_rate: 16000,
  duration_s: 60,
  active_speech_s: 40,
  findings: [],
  metrics: { active_level_hp_dbov: level } as Report['metrics'],
})

const reading = (at_s: number): Reading => ({
  at_s,
  level_dbov: -30,
  active_level_dbov: null,
  noise_floor_dbov: null,
  peak_dbov: null,
  clipped_share: null,
  speech_share: 0,
  scored_share: 1,
})

it('puts the two taps of a call together, the newest report of each', () => {
  const heard = byCall([
    report('c2', 'mic', '2026-03-02T12:00:05Z', -25),
    report('c2', 'wire', '2026-03-02T12:00:04Z', -26),
    report('c2', 'wire', '2026-03-02T12:00:01Z', -99),
    report('c1', 'wire', '2026-03-02T11:00:00Z', null),
  ])
  expect(heard.map((h) => h.call)).toEqual(['c2', 'c1'])
  const { calls, x } = timeline(heard)
  expect(calls.map((c) => c.call)).toEqual(['c1', 'c2'])
  expect(x[1]! - x[0]!).toBe(3605)
  const level = (tap: Tap) => over(calls, tap, (m) => m.active_level_hp_dbov)
  expect(level('mic')).toEqual([null, -25])
  expect(level('wire')).toEqual([null, -26])
  expect(any(level('mic'))).toBe(true)
  expect(any([null, null])).toBe(false)
})

it('keeps calls of the same moment apart on the axis', () => {
  const { x } = timeline(byCall(['a', 'b', 'c'].map((c) => report(c, 'mic', '2026-03-02T12:00:00Z', -25))))
  expect(x[0]! < x[1]! && x[1]! < x[2]!).toBe(true)
})

it('lays the readings of a leg on one axis of seconds', () => {
  const legs = secondBySecond([
    { leg_id: 'l1', tap: 'mic', readings: [reading(1), reading(2.0004)] },
    { leg_id: 'l1', tap: 'wire', readings: [reading(2), reading(4)] },
    { leg_id: 'l2', tap: 'wire', readings: [reading(1)] },
    { leg_id: 'l1', tap: 'mic', readings: [reading(3)] },
  ])
  expect(legs.map((l) => l.leg)).toEqual(['l1', 'l2'])
  expect(legs[0]!.x).toEqual([1, 2, 3, 4])
  expect(legs[0]!.mic.map((r) => r !== null)).toEqual([true, true, true, false])
  expect(legs[0]!.wire.map((r) => r !== null)).toEqual([false, true, false, true])
})
