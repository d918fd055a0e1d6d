// A made-up floor for working on the pages without a service: `npm run mock`, sign in with
// any name (a name that holds "it" or "agent" gets that role) and any password but "wrong".
// The shapes are those of the API; the service itself is the authority on them.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Plugin } from 'vite'

const minute = 60_000
const ago = (ms: number) => new Date(Date.now() - ms).toISOString()
let user = process.env.MOCK === 'in' ? 'supervisor' : ''

const queues = [
  queue('sales', 'Sales', [95, 31], 2, 4, 0.87, 41, 3),
  queue('support', 'Technical support', [], 1, 5, 0.93, 88, 2),
  queue('billing', 'Billing', [252, 140, 12], 0, 1, 0.41, 12, 9),
]

function queue(id: string, title: string, waits: number[], ready: number, signedIn: number, level: number, answered: number, abandoned: number) {
  return {
    id, title, headset_policy: 'last-resort', longest_wait_s: waits[0] ?? 0,
    waiting: waits.map((s, i) => ({ call_id: `w-${id}-${i}`, since: ago(s * 1000), offered_to: id === 'sales' && i === 0 ? 'desk3' : undefined })),
    agents_ready: ready, agents_ready_flagged: id === 'support' ? 1 : 0, agents_signed_in: signedIn,
    answered, abandoned, answered_within: Math.round(level * (answered + abandoned)), service_level_share: level,
  }
}

const models = [
  ['desk1', 'Desk 1', 'on-call', 'Jabra Evolve2 40', '00A1', 'good', -24, -61, 0],
  ['desk2', 'Desk 2', 'on-call', 'Poly Blackwire 3320', 'P-7781', 'replace', -16, -58, 0.034],
  ['desk3', 'Desk 3', 'offered', 'EPOS Adapt 165', 'E165-09', 'good', -26, -63, 0],
  ['desk4', 'Desk 4', 'break', 'Jabra Evolve2 40', '00B7', 'good', -38, -66, 0],
  ['desk5', 'Desk 5', 'on-call', 'Logitech H570e', 'LG-3321', 'replace', -27, -35, 0],
  ['desk6', 'Desk 6', 'ready', 'EPOS Adapt 165', 'E165-12', 'unknown', null, null, null],
  ['desk7', 'Desk 7', 'wrap-up', 'Poly Blackwire 3320', 'P-9020', 'watch', -25, -48, 0],
] as const

const key = (id: string) => id.replace(/[^A-Za-z0-9_-]/g, (c) => [...new TextEncoder().encode(c)].map((b) => '~' + b.toString(16).padStart(2, '0')).join(''))
const reading = (level: number | null, noise: number | null, clipped: number | null, at: number) => {
  const talk = Math.sin(at / 3) > -0.4
  return {
    at_s: at, level_dbov: level === null ? null : talk ? level + 3 * Math.sin(at * 1.7) - 2 : (noise ?? -60) + 1, active_level_dbov: level,
    noise_floor_dbov: noise, peak_dbov: level === null ? null : Math.min(0, level + 15), clipped_share: clipped && talk ? clipped * (1 + 0.4 * Math.sin(at)) : clipped,
    speech_share: talk ? 0.8 : 0, scored_share: 1,
  }
}

const agents = models.map(([id, title, state, model, serial, verdict, level, noise, clip], i) => ({
  id, title, state, reason: state === 'break' ? 'lunch' : undefined, since: ago((i + 1) * 47_000), until: state === 'wrap-up' ? new Date(Date.now() + 40_000).toISOString() : undefined,
  call_id: ['on-call', 'offered'].includes(state) ? `c-${id}` : undefined, then: id === 'desk1' ? 'break' : undefined, queues: i % 2 ? ['sales', 'support'] : ['support', 'billing'],
  handled: 3 + i, connected: id !== 'desk7', media: true, phone: false, headset: { id: `${model}/${serial}`, key: key(`${model}/${serial}`), model, serial }, verdict,
  mic: level === null ? undefined : reading(level, noise, clip, 5), wire: level === null ? undefined : reading(level - 1, noise, clip ? 0.0002 : 0, 5),
}))

const why: Record<string, [string, object[]]> = {
  desk2: [
    'Replace this headset: clipping at the microphone in 7 of the last 10 calls, 3.4 % of the samples (limit 0.1 %).',
    [{ kind: 'clipping', severity: 'bad', blame: 'headset', value: 0.034, limit: 0.001, calls: [0, 1, 2, 3, 5, 6, 8].map((n) => `r-desk2-${n}`), text: '' }],
  ],
  desk5: [
    'Replace this headset: noise at the microphone in all of the last 4 calls, -35.2 dBov (limit -41 dBov).',
    [{ kind: 'noise', severity: 'bad', blame: 'headset', value: -35.2, limit: -41, calls: [0, 1, 2, 3].map((n) => `r-desk5-${n}`), text: '' }],
  ],
  desk4: [
    'The headset shows no fault of its own: quiet speech at the microphone in 5 of the last 6 calls, -38.1 dBov (limit -36 dBov); that is the voice or where the microphone sits, not the headset.',
    [{ kind: 'quiet', severity: 'bad', blame: 'person', value: -38.1, limit: -36, calls: [0, 1, 2, 4, 5].map((n) => `r-desk4-${n}`), text: '' }],
  ],
  desk7: [
    'Keep an eye on this headset: noise at the microphone in 3 of the last 8 calls, -48.2 dBov (limit -50 dBov); not bad enough to replace it.',
    [{ kind: 'noise', severity: 'watch', blame: 'headset', value: -48.2, limit: -50, calls: [0, 1, 3].map((n) => `r-desk7-${n}`), text: '' }],
  ],
  desk6: ['Not enough heard yet: no call with 30 s of speech so far.', []],
}

const verdict = (id: string, state: string, back = 0) => {
  const [text, findings] = why[id] ?? ['No fault in the last 10 calls.', []]
  return { state, findings, text, reports: state === 'unknown' ? 0 : 10, at: ago(9 * minute + back) }
}

const rank: Record<string, number> = { replace: 0, watch: 1, unknown: 2, good: 3 }
const headsets = models
  .map(([id, title, , model, serial, state], i) => ({
    id: `${model}/${serial}`, key: key(`${model}/${serial}`), model, serial, first_seen: ago(90 * 24 * 60 * minute), last_seen: ago(i * 7 * minute),
    last_agent: id, last_agent_title: title, in_use: i !== 3, verdict: verdict(id, state),
  }))
  .sort((a, b) => rank[a.verdict.state]! - rank[b.verdict.state]!)

function reports(id: string, level: number, noise: number, clip: number, n = 10) {
  return Array.from({ length: n }, (_, i) => i).flatMap((i) => {
    const bad = clip > 0.001 && ![4, 7, 9].includes(i)
    const wobble = Math.sin(i * 2.1)
    return (['mic', 'wire'] as const).map((tap) => ({
      call_id: `r-${id}-${i}`, leg_id: `l-${id}-${i}`, headset: id, agent: id, at: ago((i + 1) * 23 * minute - (tap === 'mic' ? 1000 : 0)), tap, sample_rate: 16000,
      duration_s: 240, active_speech_s: 71 + 20 * wobble,
      metrics: {
        active_level_dbov: level + wobble, active_level_hp_dbov: level + wobble - (tap === 'wire' ? 0.4 : 0), activity: 0.4, rms_dbov: level - 4, noise_floor_dbov: noise + 1.5 * wobble,
        snr_db: level - noise, peak_dbov: -1, active_peak_factor_db: 14, clipped_share: bad ? (tap === 'mic' ? clip + 0.01 * wobble : 0.00002) : 0.00001, clip_events: 3,
        clip_ceiling_dbov: null, dc_share: 0.001, active_level_valid: true,
      },
      findings: bad && tap === 'mic' ? [{ kind: 'clipping', severity: 'bad', value: clip, limit: 0.001, text: '' }] : noise > -41 ? [{ kind: 'noise', severity: 'bad', value: noise, limit: -41, text: '' }] : [],
    }))
  })
}

const calls = Array.from({ length: 60 }, (_, i) => {
  const m = models[i % models.length]!
  const answered = i % 9 !== 4
  const began = (i * 3 + 1) * minute
  return {
    id: `c-${i < 7 ? m[0] : i}`, direction: i % 5 === 3 ? 'outbound' : 'inbound', trunk: 'carrier', queue: queues[i % 3]!.id, from: `+4930123${400 + i}`, from_name: i % 4 ? undefined : 'Miller', to: '+49305550', started_at: ago(began),
    answered_at: answered ? ago(began - 21_000) : undefined, ended_at: i < 3 ? undefined : ago(began - (answered ? 150_000 : 64_000)),
    cause: i < 3 ? undefined : answered ? (i % 5 ? 'caller_hung_up' : 'agent_hung_up') : 'abandoned', agent: answered ? m[0] : undefined,
  }
})

function story(id: string) {
  const call = { ...(calls.find((c) => c.id === id) ?? calls[1]!), id }
  const at = (s: number) => new Date(Date.parse(call.started_at) + s * 1000).toISOString()
  return {
    call,
    legs: [
      { id: 't', call_id: id, kind: 'trunk', trunk: 'carrier', started_at: at(0), stats: { codec: 'PCMA', packets_in: 7431, packets_out: 7402, lost: 12, jitter_ms: 2.41, round_trip_ms: 0 } },
      { id: 'a', call_id: id, kind: 'agent', agent: 'desk2', headset: 'x', started_at: at(21), stats: { codec: 'opus', packets_in: 6400, packets_out: 6390, lost: 0, jitter_ms: 0.6, round_trip_ms: 3 } },
    ],
    events: [
      { call_id: id, at: at(0), kind: 'arrived' },
      { call_id: id, at: at(0), kind: 'queued', detail: { queue: call.queue } },
      { call_id: id, at: at(1), kind: 'offered', agent: 'desk3' },
      { call_id: id, at: at(16), kind: 'offer_expired', agent: 'desk3' },
      { call_id: id, at: at(16), kind: 'offered', agent: 'desk2', detail: { headset: 'replace', last_resort: 'true' } },
      { call_id: id, at: at(21), kind: 'connected', agent: 'desk2' },
      { call_id: id, at: at(150), kind: 'ended', detail: { cause: 'caller_hung_up' } },
    ],
    reports: reports('desk2', -17, -58, 0.034, 1),
  }
}

const ladder = {
  leg_id: 'c.trunk',
  picture: '            headroom                                198.51.100.7:5060\n     0.000  |<----------- 1 INVITE +SDP ------------|\n     0.004  |------- 2 200 OK (INVITE) +SDP ------->|\n',
  messages: [
    { at: new Date().toISOString(), out: false, transport: 'UDP', peer: '198.51.100.7:5060', first: 'INVITE sip:100@pbx.example SIP/2.0', headers: 'Call-ID: 1@a\nCSeq: 1 INVITE', body: 'v=0' },
    { at: new Date().toISOString(), out: true, transport: 'UDP', peer: '198.51.100.7:5060', first: 'SIP/2.0 200 OK', headers: 'Call-ID: 1@a\nCSeq: 1 INVITE', body: 'v=0' },
  ],
}

const runs = [
  { leg_id: 'a', tap: 'mic', readings: Array.from({ length: 130 }, (_, i) => reading(-17, -58 + 4 * Math.sin(i / 20), i > 30 && i < 90 ? 0.03 : 0, i + 1)) },
  { leg_id: 'a', tap: 'wire', readings: Array.from({ length: 128 }, (_, i) => reading(-17.5, -57, 0, i + 1)) },
]

const server = (address: string, state: string, why = '', ms = 0) => ({
  target: 'sip:carrier.example', address, state, since: ago(190 * minute), checked: ago(12_000), status: state === 'up' ? 200 : 0, round_trip_ms: ms, why,
})
const trunks = [
  {
    id: 'carrier', calls: 14, calls_in: 512, calls_out: 61, refused_calls: 0, refused_rate: 3,
    registration: { state: 'registered', server: '198.51.100.7:5060/UDP', since: ago(190 * minute), until: ago(-4 * minute), status: 200, error: '', failures: 0 },
    servers: [server('198.51.100.7:5060/UDP', 'up', '', 11.4), server('198.51.100.8:5061/TLS', 'down', 'no reply to OPTIONS within 4 s')],
  },
  {
    id: 'second-carrier', calls: 0, calls_in: 0, calls_out: 0, refused_calls: 0, refused_rate: 0,
    registration: { state: 'trying', server: '203.0.113.9:5060/UDP', next: ago(-30_000), status: 403, error: '403 Forbidden: wrong username or password', failures: 4 },
    servers: [server('203.0.113.9:5060/UDP', 'up', '', 31)],
  },
  { id: 'old-pbx', calls: 1, calls_in: 17, calls_out: 0, refused_calls: 0, refused_rate: 0, servers: [] },
]

const session = () => ({
  user, title: user === 'supervisor' ? 'Supervisor' : user,
  roles: user.includes('agent') ? ['agent'] : user.startsWith('it') ? ['it'] : ['supervisor', 'it'], queues: [],
})

function json(res: ServerResponse, body: unknown, status = 200) {
  res.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' })
  res.end(JSON.stringify(body))
}

const problem = (res: ServerResponse, status: number, detail: string) => json(res, { title: 'No', status, detail, request_id: '01K9MOCK' }, status)

function events(req: IncomingMessage, res: ServerResponse) {
  res.writeHead(200, { 'Content-Type': 'text/event-stream' })
  const send = (event: string, data: unknown) => res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  const it = user.startsWith('it')
  send('floor', process.env.MOCK === 'empty' ? { at: ago(0), queues: [], agents: [] } : { at: ago(0), queues: it ? [] : queues, agents })
  let s = 5
  const beat = setInterval(() => {
    s++
    for (const [id, , state, , , , level, noise, clip] of models) {
      if (state !== 'on-call') continue
      send('reading', { agent: id, tap: 'mic', reading: reading(level, noise, clip, s) })
      send('reading', { agent: id, tap: 'wire', reading: reading(level === null ? null : level - 1, noise, clip ? 0.0002 : 0, s) })
    }
  }, 1000)
  req.on('close', () => clearInterval(beat))
}

function answer(req: IncomingMessage, res: ServerResponse, next: () => void) {
  const [path = ''] = (req.url ?? '').split('?')
  if (!path.startsWith('/api/v1/')) return next()
  const [what, id] = path.slice('/api/v1/'.length).split('/').map(decodeURIComponent)
  const empty = process.env.MOCK === 'empty'
  if (what === 'session' && req.method === 'POST') {
    let text = ''
    req.on('data', (b) => (text += b)).on('end', () => {
      const body = JSON.parse(text)
      if (body.password === 'wrong') return problem(res, 401, 'user name or password is wrong')
      user = body.user
      json(res, session())
    })
    return
  }
  if (!user && !empty) return problem(res, 401, 'sign in first')
  if (empty) user = 'supervisor'
  switch (what) {
    case 'session':
      if (req.method === 'DELETE') user = ''
      return json(res, session())
    case 'events':
      return events(req, res)
    case 'headsets': {
      if (!id) return json(res, { total: empty ? 0 : headsets.length, headsets: empty ? [] : headsets })
      const h = headsets.find((h) => h.key === id)
      const m = models.find((m) => m[0] === h?.last_agent)
      if (!h || !m) return problem(res, 404, 'there is no such headset')
      return json(res, {
        headset: h, reports: m[6] === null ? [] : reports(m[0], m[6], m[7], m[8]),
        history: [h.verdict, { ...verdict('', 'watch', 300 * minute), text: 'Keep an eye on this headset: clipping at the microphone in 1 of the last 3 calls, 2.9 % of the samples (limit 0.1 %); it takes 3 such calls to replace it.' }, verdict('', 'good', 900 * minute)],
      })
    }
    case 'trunks':
      return json(res, { trunks: empty ? [] : trunks })
    case 'calls':
      if (path.endsWith('/sip')) return json(res, { call_id: id, ladders: [ladder] })
      if (path.endsWith('/recordings')) return json(res, { call_id: id, recordings: [] })
      if (path.endsWith('/readings')) return json(res, { call_id: id, runs })
      if (id) return json(res, story(id))
      return json(res, { calls: empty ? [] : calls.slice(0, 50), next: empty ? undefined : 'x' })
    default:
      return problem(res, 404, 'there is no such thing')
  }
}

export function mock(): Plugin {
  return { name: 'mock', configureServer: (s) => void s.middlewares.use(answer), configurePreviewServer: (s) => void s.middlewares.use(answer) }
}
