import { expect, it } from 'vitest'
import { table } from './metrics'
import type { Metrics } from './shapes'

it('shows two reports side by side and leaves out what neither measured', () => {
  const mic = { noise_floor_dbov: -61.24, hum_hz: 50.02, clipped_share: 0.0123, echo_loss_db: null } as Metrics
  const wire = { noise_floor_dbov: null, hum_hz: null, clipped_share: 0 } as Metrics
  const shown = table([mic, wire])
  expect(shown.map((g) => g.title)).toEqual(['Noise', 'Sound'])
  expect(shown[0]!.lines).toEqual([
    { label: 'Noise floor', values: ['−61.2 dBov', '–'] },
    { label: 'Mains frequency heard', values: ['50 Hz', '–'] },
  ])
  expect(shown[1]!.lines[0]).toEqual({ label: 'Clipped samples', values: ['1.2 %', '0 %'] })
})
