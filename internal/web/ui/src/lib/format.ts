// Numbers and words as people read them. Nothing here knows of a page or a clock.

import type { AgentState, Blame, Measured, VerdictState } from './shapes'

export const nothing = '–'

/** A length of time: 0:07, 12:34, 1:02:03. Below zero is zero. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const h = Math.floor(s / 3600)
  const m = Math.floor((s % 3600) / 60)
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`
}

/** The same for a screen reader: "2 minutes 5 seconds". */
export function spoken(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds))
  const parts = [
    [Math.floor(s / 3600), 'hour'],
    [Math.floor((s % 3600) / 60), 'minute'],
    [s % 60, 'second'],
  ] as const
  const said = parts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}${n === 1 ? '' : 's'}`)
  return said.slice(0, 2).join(' ') || 'no time'
}

/** Seconds from an RFC 3339 time to now (ms since 1970). */
export function since(time: string | undefined, now: number): number {
  return time ? (now - Date.parse(time)) / 1000 : 0
}

/** How long ago, roughly: just now, 5 min ago, 3 h ago, yesterday, 12 Mar. */
export function ago(time: string, now: number): string {
  const s = since(time, now)
  if (s < 45) return 'just now'
  if (s < 3600) return `${Math.max(1, Math.round(s / 60))} min ago`
  if (s < 86400) return `${Math.round(s / 3600)} h ago`
  if (s < 2 * 86400) return 'yesterday'
  return new Date(time).toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
}

/** A moment as a time of day, with the day when it is not today's. */
export function moment(time: string, now: number, seconds = false): string {
  const t = new Date(time)
  const hm = t.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', ...(seconds ? { second: '2-digit' } : {}) })
  if (t.toDateString() === new Date(now).toDateString()) return hm
  return `${t.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })}, ${hm}`
}

/** A server's IP:port/TRANSPORT as people say it: "192.0.2.1:5060 over UDP". */
export function serverAddress(a: string): string {
  return a.replace(/\/(\w+)$/, ' over $1')
}

/** A level or ratio with one figure after the point and a true minus. */
export function decibels(v: Measured | undefined, unit = 'dBov'): string {
  if (v === null || v === undefined) return nothing
  return `${v.toFixed(1).replace(/^-(0\.0)$/, '$1').replace('-', '−')} ${unit}`
}

/** A bare number with a true minus, as at an axis. */
export function plain(v: number): string {
  return String(Number(v.toFixed(6))).replace('-', '−')
}

/** A share 0..1 as a percentage with two telling figures: 0 %, 0.012 %, 3.1 %, 87 %. */
export function percent(v: Measured | undefined): string {
  if (v === null || v === undefined) return nothing
  const p = v * 100
  const a = Math.abs(p)
  if (a < 0.0005) return '0 %'
  const digits = a >= 10 ? 0 : a >= 1 ? 1 : a >= 0.1 ? 2 : 3
  return `${Number(p.toFixed(digits)).toString().replace('-', '−')} %`
}

/** A finding's value or limit in the unit of its kind; the limit tells which metric it is. */
export function measure(kind: string, value: Measured, limit: Measured): string {
  if (value === null) return nothing
  switch (kind) {
    case 'clipping':
      if (limit !== null && limit < 0) return value.toFixed(2).replace('-', '−')
      return limit !== null && limit >= 1 ? decibels(value, 'dB') : percent(value)
    case 'hum':
    case 'buzz':
      return decibels(value, limit !== null && limit < 0 ? 'dBov' : 'dB')
    case 'dc_offset':
      return percent(value)
    case 'noise':
      return decibels(value, limit !== null && limit > 0 ? 'dB' : 'dBov')
    case 'quiet':
    case 'loud':
      return decibels(value)
    case 'dead':
      return `${Math.round(value)} s`
    case 'dropout':
      return `${Number(value.toFixed(1))} in 5 min`
    case 'crackle':
      return `${Number(value.toFixed(1))} a minute`
    default:
      return decibels(value, 'dB')
  }
}

/** What a finding's number is. */
export function metric(kind: string, limit: Measured): string {
  switch (kind) {
    case 'clipping':
      if (limit !== null && limit < 0) return 'peak bend'
      return limit !== null && limit >= 1 ? 'peak factor' : 'samples clipped'
    case 'noise':
      return limit !== null && limit > 0 ? 'speech over noise' : 'noise floor'
    case 'quiet':
    case 'loud':
      return 'active speech level'
    case 'dead':
      return 'silence'
    case 'dc_offset':
      return 'offset'
    default:
      return fault(kind).toLowerCase()
  }
}

const faults: Record<string, string> = {
  dead: 'No sound',
  quiet: 'Quiet speech',
  loud: 'Too loud',
  clipping: 'Clipping',
  noise: 'Noise',
  hum: 'Mains hum',
  buzz: 'Radio buzz',
  dropout: 'Drop-outs',
  crackle: 'Crackle',
  muffled: 'Muffled',
  echo: 'Echo',
  dc_offset: 'DC offset',
  pumping: 'Pumping level',
}

/** A fault as people call it. */
export function fault(kind: string): string {
  return faults[kind] ?? kind.replaceAll('_', ' ')
}

const suspects: Record<Blame, string> = {
  headset: 'the headset',
  person: 'voice or microphone position',
  room: 'the room',
  network: 'the network',
  setting: 'a setting',
}

export function blame(b: Blame): string {
  return suspects[b] ?? b
}

const states: Record<AgentState, string> = {
  offline: 'Offline',
  ready: 'Ready',
  offered: 'Ringing',
  'on-call': 'On call',
  'wrap-up': 'Wrap-up',
  break: 'Break',
}

export function agentState(s: AgentState): string {
  return states[s] ?? s
}

const verdicts: Record<VerdictState, string> = {
  unknown: 'Not known yet',
  good: 'Good',
  watch: 'Watch',
  replace: 'Replace',
}

export function verdict(s: VerdictState): string {
  return verdicts[s] ?? s
}

const policies: Record<string, string> = {
  exclude: 'Agents with a flagged headset get no calls from here',
  'last-resort': 'Agents with a flagged headset get calls only when nobody else is free',
  ignore: 'Headset verdicts do not matter here',
}

export function policy(p: string): string {
  return policies[p] ?? p
}

const causes: Record<string, string> = {
  caller_hung_up: 'Caller hung up',
  agent_hung_up: 'Agent hung up',
  abandoned: 'Caller left while waiting',
  agent_lost: "Agent's client was lost",
  media_timeout: 'No more audio from the other side',
  service_lost: 'The service stopped unexpectedly',
  drained: 'The service was shut down',
  requeued: 'Caller went back to the queue',
  signalling: 'The trunk failed',
  media_keys: 'Audio was to be encrypted, and no keys came',
  rejected: 'Not taken',
  internal_error: 'An error of ours',
  busy: 'The number was busy',
  no_answer: 'Nobody answered',
  declined: 'The callee declined',
  no_such_number: 'There is no such number',
  unreachable: 'No trunk could carry the call',
  cancelled: 'The agent gave up before the answer',
  callee_hung_up: 'Callee hung up',
  transferred: 'Caller was passed on',
  taken_over: 'A supervisor took the call over',
  transfer_failed: 'Could not be passed on',
  time_limit: 'It lasted as long as it was allowed to',
}

export function cause(c: string | undefined): string {
  return c ? (causes[c] ?? c.replaceAll('_', ' ')) : nothing
}

const recordingStates: Record<string, string> = {
  recording: 'Is being recorded',
  complete: 'Recorded',
  recovered: 'Recorded until the service stopped unexpectedly',
  failed: 'Could not be recorded in full',
  deleting: 'Is being deleted',
  deleted: 'Deleted',
}

export function recordingState(s: string): string {
  return recordingStates[s] ?? s
}

const happenings: Record<string, string> = {
  arrived: 'Arrived',
  queued: 'Waits in the queue',
  offered: 'Rings',
  accepted: 'Accepted',
  declined: 'Declined',
  offer_expired: 'Not answered in time',
  offer_withdrawn: 'Ringing stopped',
  connected: 'Connected',
  requeued: 'Back to the head of the queue',
  dialled: 'Dialled',
  progress: 'Under way',
  answered: 'The callee answered',
  failed: 'Came to nothing',
  held: 'On hold',
  resumed: 'Off hold',
  transfer: 'Is being passed on',
  transferred: 'Passed on',
  transfer_failed: 'Not passed on',
  supervised: 'Supervised',
  supervision_ended: 'Supervised no more',
  taken_over: 'Taken over by a supervisor',
  parted: 'The agent left; the transfer goes on',
  dtmf: 'Key pressed',
  dtmf_sent: 'Keys sent',
  secret_began: 'A secret is keyed in',
  secret_ended: 'The secret is over',
  recording_started: 'Recording began',
  recording_stopped: 'Recording ended',
  recording_paused: 'Recording paused',
  recording_resumed: 'Recording goes on',
  recording_failed: 'Could not be recorded',
  recording_consented: 'The caller consented to a recording',
  recording_heard: 'Recording listened to',
  recording_held: 'Recording kept by a legal hold',
  recording_released: 'Legal hold lifted',
  recording_deleted: 'Recording deleted',
  ended: 'Ended',
}

export function happening(kind: string): string {
  return happenings[kind] ?? kind.replaceAll('_', ' ')
}

/** Who is at the other end of a trunk: a leg's identity tells who was passed on to. */
export function party(leg: string, direction: string | undefined): string {
  if (leg.includes('.trunk.t')) return 'Passed on to'
  return direction === 'outbound' ? 'Callee' : 'Caller'
}

/** What else is known of a happening, in words; what the page says anyway is left out. */
export function details(detail: Record<string, string> | undefined): string {
  const said: string[] = []
  for (const [key, value] of Object.entries(detail ?? {})) {
    if (value === '') continue
    switch (key) {
      case 'sip_call_id':
      case 'to':
      case 'trunk':
      case 'queue':
      case 'recording':
        break
      case 'how':
        said.push(value === 'key' ? 'with a key' : 'as the agent says')
        break
      case 'last_resort':
        if (value === 'true') said.push('as a last resort: nobody with a sound headset was free')
        break
      case 'verdict':
        said.push(`verdict ${verdict(value as VerdictState).toLowerCase()}`)
        break
      case 'sip_status':
        said.push(value === '404' && !detail?.to ? 'no queue has this number (SIP status 404)' : `SIP status ${value}`)
        break
      case 'class':
      case 'text': // the cause says it
        break
      case 'state':
        said.push(value.replaceAll('_', ' '))
        break
      case 'transfer':
        said.push('of the transfer')
        break
      case 'mode':
        said.push(({ listen: 'listens', whisper: 'whispers', barge: 'heard by all' } as Record<string, string>)[value] ?? value)
        break
      case 'cause':
        said.push(cause(value).toLowerCase())
        break
      case 'why':
        said.push(causes[value] ? cause(value).toLowerCase() : value.replaceAll('_', ' '))
        break
      default:
        said.push(`${key.replaceAll('_', ' ')} ${value}`)
    }
  }
  return said.join(', ')
}

/** A sentence of the service's with its minus signs, and its units kept on their line. */
export function prose(text: string): string {
  return text.replace(/(^|[\s(])-(?=\d)/g, '$1−').replace(/(\d) (?=%|dB|s\b|Hz)/g, '$1\u00a0')
}

/** A headset's name; devices do not always say who they are. */
export function headsetName(h: { model: string; serial: string }): string {
  return h.model || 'Unnamed headset'
}

// The meters show −70 to 0 dBov; speech is well placed from −30 to −18.
export const meterFloor = -70
export const goodFrom = -30
export const goodTo = -18

/** Where a level stands on a meter, 0..1. */
export function onMeter(dbov: Measured | undefined): number {
  if (dbov === null || dbov === undefined) return 0
  return Math.min(1, Math.max(0, (dbov - meterFloor) / -meterFloor))
}

/** The word that goes with an active speech level. */
export function levelWord(active: Measured | undefined): 'silent' | 'quiet' | 'good' | 'loud' {
  if (active === null || active === undefined) return 'silent'
  if (active < -36) return 'quiet'
  return active > -15 ? 'loud' : 'good'
}
