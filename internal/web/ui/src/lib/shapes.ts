// The bodies of the API, as /api/v1/openapi.json describes them. Times are RFC 3339,
// levels dBov, shares 0..1; null is what could not be measured.

export type Role = 'agent' | 'supervisor' | 'it' | 'admin'
export type AgentState = 'offline' | 'ready' | 'offered' | 'on-call' | 'wrap-up' | 'break'
export type VerdictState = 'unknown' | 'good' | 'watch' | 'replace'
export type Severity = 'watch' | 'bad'
export type Tap = 'mic' | 'wire'
export type Blame = 'headset' | 'person' | 'room' | 'network' | 'setting'
export type Measured = number | null

export interface Session {
  user: string
  title: string
  roles: Role[]
  queues: string[]
}

export interface WaitingCall {
  call_id: string
  since: string
  offered_to?: string
}

export interface Queue {
  id: string
  title: string
  headset_policy: 'exclude' | 'last-resort' | 'ignore'
  waiting: WaitingCall[]
  agents_ready: number
  agents_ready_flagged: number
  agents_signed_in: number
  answered: number
  abandoned: number
  answered_within: number
  service_level_share: Measured
}

export interface Reading {
  at_s: number
  level_dbov: Measured
  active_level_dbov: Measured
  noise_floor_dbov: Measured
  peak_dbov: Measured
  clipped_share: Measured
  speech_share: number
  scored_share: number
}

export interface Agent {
  id: string
  title: string
  state: AgentState
  reason?: string
  since?: string
  until?: string
  call_id?: string
  then?: AgentState
  queues: string[]
  handled: number
  connected: boolean
  media: boolean
  phone: boolean
  headset?: { id: string; key: string; model: string; serial: string }
  verdict: VerdictState
  mic?: Reading
  wire?: Reading
}

export interface Call {
  id: string
  direction: 'inbound' | 'outbound'
  trunk: string
  queue: string
  from: string
  from_name?: string
  to: string
  started_at: string
  answered_at?: string
  ended_at?: string
  cause?: string
  agent?: string
}

export interface CallEvent {
  call_id: string
  at: string
  kind: string
  agent?: string
  detail?: Record<string, string>
}

export interface Leg {
  id: string
  call_id: string
  kind: 'trunk' | 'agent'
  trunk?: string
  agent?: string
  headset?: string
  started_at: string
  ended_at?: string
  cause?: string
  stats: { codec?: string; packets_in: number; packets_out: number; lost: number; jitter_ms: number; round_trip_ms: number; forged?: number; mos?: number }
}

export interface Finding {
  kind: string
  severity: Severity
  value: Measured
  limit: Measured
  text: string
}

export interface Metrics {
  active_level_dbov: Measured
  active_level_hp_dbov: Measured
  active_level_valid: boolean
  activity: Measured
  rms_dbov: Measured
  peak_dbov: Measured
  active_peak_factor_db: Measured
  pumping_db: Measured
  pumping_steady_db: Measured
  dc_share: Measured
  noise_floor_dbov: Measured
  noise_floor_dbov_a: Measured
  noise_class: string
  noise_class_confidence: number
  snr_db: Measured
  hum_hz: Measured
  hum_dbov: Measured
  hum_prominence_db: Measured
  hum_s: number
  buzz_hz: Measured
  buzz_dbov: Measured
  buzz_prominence_db: Measured
  buzz_s: number
  buzz_bursts: number
  clipped_share: Measured
  clip_events: number
  clip_longest_samples: number
  clip_ceiling_dbov: Measured
  clip_full_scale: boolean
  peak_crowding: Measured
  peak_bend: Measured
  dropouts_per_5min: Measured
  dropout_longest_ms: Measured
  repeated_buffers: number
  sample_slips: number
  crackles_per_minute: Measured
  high_low_db: Measured
  high_mid_db: Measured
  rolloff_db: Measured
  bandwidth_hz: Measured
  narrow_band: boolean
  highs_masked: boolean
  pops_per_minute: Measured
  wind_share: Measured
  fit_hint: string
  echo_loss_db: Measured
  echo_loss_least_db: Measured
  echo_delay_ms: Measured
  speech_to_echo_db: Measured
  far_only_s: number
  syllables_per_second: Measured
}

export interface Party {
  talk_s: number
  talk_share: number
  longest_monologue_s: number
  interruptions: number
  response_gap_median_s: Measured
  response_gap_p90_s: Measured
}

export interface Conversation {
  near: Party
  far: Party
  duration_s: number
  overtalk_s: number
  overtalk_share: number
  silence_longest_s: number
  silence_beyond_s: number
}

export interface Report {
  call_id: string
  leg_id: string
  headset: string
  agent: string
  at: string
  tap: Tap
  sample_rate: number
  duration_s: number
  active_speech_s: number
  metrics: Metrics
  findings: Finding[]
  conversation?: Conversation
}

export interface CallStory {
  call: Call
  legs: Leg[]
  events: CallEvent[]
  reports: Report[]
}

export interface ReadingRun {
  leg_id: string
  tap: Tap
  readings: Reading[]
}

export interface Recording {
  id: string
  call_id: string
  agent?: string
  started_at: string
  ended_at?: string
  length_s: number
  format: 'wav' | 'opus'
  size: number
  state: 'recording' | 'complete' | 'recovered' | 'failed' | 'deleting' | 'deleted'
  playable: boolean
  lost_s?: number
  hash?: string
  key_id?: string
  expires_at?: string
  hold?: { by: string; at: string; why: string }
  deleted_at?: string
  deleted_by?: string
}

export interface Recordings {
  call_id: string
  recordings: Recording[]
  problem?: string
}

export interface SIPMessage {
  at: string
  out: boolean
  transport: string
  peer: string
  first: string
  headers: string
  body?: string
  cut?: boolean
}

export interface SIPLadder {
  leg_id: string
  picture: string
  messages: SIPMessage[]
}

export interface VerdictFinding extends Finding {
  blame: Blame
  calls: string[]
}

export interface Verdict {
  state: VerdictState
  findings: VerdictFinding[]
  text: string
  reports: number
  at?: string
}

export interface Headset {
  id: string
  key: string
  model: string
  serial: string
  first_seen: string
  last_seen: string
  last_agent: string
  last_agent_title?: string
  in_use: boolean
  verdict: Verdict
}

export interface HeadsetDetail {
  headset: Headset
  history: Verdict[]
  reports: Report[]
}

// What the live stream sends, by event name.
export interface LiveEvents {
  floor: { at: string; queues: Queue[]; agents: Agent[] }
  queue: Queue
  agent: Agent
  call: { call: Call; event: CallEvent }
  reading: { agent: string; headset?: string; call_id?: string; tap: Tap; reading: Reading }
  verdict: { headset: string; key: string; verdict: Verdict }
  lost: { lost: number }
}

export interface TrunkRegistration {
  state: 'trying' | 'registered' | 'ended'
  server: string
  since?: string
  until?: string
  next?: string
  status: number
  error: string
  failures: number
}

export interface TrunkServer {
  target: string
  address: string
  state: 'unknown' | 'up' | 'down'
  since: string
  checked?: string
  status: number
  round_trip_ms: number
  why: string
}

export interface Trunk {
  id: string
  calls: number
  calls_in: number
  calls_out: number
  refused_calls: number
  refused_rate: number
  registration?: TrunkRegistration
  servers: TrunkServer[]
}
