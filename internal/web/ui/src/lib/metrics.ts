// What a report's numbers are called, in which unit, in which order. A Go test holds this
// list to the metrics that there are.

import { decibels, nothing, percent, plain } from './format'
import type { Measured, Metrics } from './shapes'

type Show = (v: number) => string

const dbov: Show = (v) => decibels(v)
const db: Show = (v) => decibels(v, 'dB')
const share: Show = (v) => percent(v)
const hz: Show = (v) => `${Math.round(v)} Hz`
const seconds: Show = (v) => `${plain(Number(v.toFixed(1)))} s`
const count: Show = (v) => plain(Math.round(v))
const figure: Show = (v) => plain(Number(v.toFixed(1)))

interface Row {
  key: keyof Metrics
  label: string
  show: Show
}

const row = (key: keyof Metrics, label: string, show: Show): Row => ({ key, label, show })

export const groups: { title: string; rows: Row[] }[] = [
  {
    title: 'Level',
    rows: [
      row('active_level_hp_dbov', 'Speech, over 100 Hz', dbov),
      row('active_level_dbov', 'Speech, ITU-T P.56', dbov),
      row('activity', 'Share of speech', share),
      row('rms_dbov', 'All together', dbov),
      row('peak_dbov', 'Peak', dbov),
      row('active_peak_factor_db', 'Peak over speech', db),
      row('pumping_db', 'Level swings by', db),
      row('dc_share', 'Offset', share),
    ],
  },
  {
    title: 'Noise',
    rows: [
      row('noise_floor_dbov', 'Noise floor', dbov),
      row('noise_floor_dbov_a', 'Noise floor, A-weighted', (v) => decibels(v, 'dBov(A)')),
      row('snr_db', 'Speech over noise', db),
      row('hum_dbov', 'Mains hum', dbov),
      row('hum_hz', 'Mains frequency heard', hz),
      row('hum_prominence_db', 'Hum stands out by', db),
      row('buzz_dbov', 'Radio buzz', dbov),
      row('buzz_prominence_db', 'Buzz stands out by', db),
      row('buzz_s', 'Radio buzz lasted', seconds),
    ],
  },
  {
    title: 'Sound',
    rows: [
      row('clipped_share', 'Clipped samples', share),
      row('clip_events', 'Clipped stretches', count),
      row('clip_ceiling_dbov', 'Clipped at', dbov),
      row('dropouts_per_5min', 'Drop-outs in five minutes', figure),
      row('dropout_longest_ms', 'Longest drop-out', (v) => `${Math.round(v)} ms`),
      row('repeated_buffers', 'Buffers played twice', count),
      row('sample_slips', 'Jumps in the sound', count),
      row('crackles_per_minute', 'Crackles a minute', figure),
      row('bandwidth_hz', 'Speech reaches up to', hz),
      row('high_low_db', 'Highs against lows', db),
      row('pops_per_minute', 'Puffs of breath a minute', figure),
      row('wind_share', 'Wind on the microphone', share),
    ],
  },
  {
    title: 'Echo',
    rows: [
      row('echo_loss_db', 'Echo is softer by', db),
      row('echo_loss_least_db', 'Echo is softer by at least', db),
      row('echo_delay_ms', 'Echo comes after', (v) => `${Math.round(v)} ms`),
      row('speech_to_echo_db', 'Speech over echo', db),
    ],
  },
]

/** Metrics that say how sure another one is, or that stand in a sentence of their own. */
export const unlisted: (keyof Metrics)[] = [
  'active_level_valid',
  'pumping_steady_db',
  'noise_class',
  'fit_hint',
  'noise_class_confidence',
  'hum_s',
  'buzz_hz',
  'buzz_bursts',
  'clip_longest_samples',
  'clip_full_scale',
  'peak_crowding',
  'peak_bend',
  'high_mid_db',
  'rolloff_db',
  'narrow_band',
  'highs_masked',
  'far_only_s',
  'syllables_per_second',
]

/** One line of the table; what was not measured is left out. */
export interface Line {
  label: string
  values: string[]
}

/** The numbers of several reports side by side, a group at a time. */
export function table(reports: Metrics[]): { title: string; lines: Line[] }[] {
  const value = (m: Metrics, r: Row): Measured => {
    const v = m[r.key]
    return typeof v === 'number' ? v : null
  }
  return groups
    .map((g) => ({
      title: g.title,
      lines: g.rows
        .filter((r) => reports.some((m) => value(m, r) !== null))
        .map((r) => ({
          label: r.label,
          values: reports.map((m) => {
            const v = value(m, r)
            return v === null ? nothing : r.show(v)
          }),
        })),
    }))
    .filter((g) => g.lines.length > 0)
}
