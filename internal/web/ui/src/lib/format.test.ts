import { describe, expect, it } from 'vitest'
import * as f from './format'

describe('lengths of time', () => {
  it.each([
    [-3, '0:00'],
    [0.9, '0:00'],
    [7, '0:07'],
    [754, '12:34'],
    [3723, '1:02:03'],
  ])('%d s reads %s', (s, want) => expect(f.clock(s)).toBe(want))

  it.each([
    [0, 'no time'],
    [1, '1 second'],
    [125, '2 minutes 5 seconds'],
    [3600, '1 hour'],
    [7384, '2 hours 3 minutes'],
  ])('%d s is said as %s', (s, want) => expect(f.spoken(s)).toBe(want))

  it('counts from a time to now', () => {
    const now = Date.parse('2026-03-02T12:00:10Z')
    expect(f.since('2026-03-02T12:00:00Z', now)).toBe(10)
    expect(f.since('2026-03-02T13:00:00+01:00', now)).toBe(10)
    expect(f.since(undefined, now)).toBe(0)
  })

  it.each([
    [-5, 'just now'],
    [44, 'just now'],
    [46, '1 min ago'],
    [3500, '58 min ago'],
    [7200, '2 h ago'],
    [100000, 'yesterday'],
  ])('%d s before now is %s', (s, want) => {
    const now = Date.parse('2026-03-02T12:00:00Z')
    expect(f.ago(new Date(now - s * 1000).toISOString(), now)).toBe(want)
  })
})

describe('levels and shares', () => {
  it.each([
    [-38.24, '−38.2 dBov'],
    [-0.04, '0.0 dBov'],
    [3, '3.0 dBov'],
    [null, '–'],
    [undefined, '–'],
  ])('%s reads %s', (v, want) => expect(f.decibels(v)).toBe(want))

  it.each([
    [0, '0 %'],
    [0.000001, '0 %'],
    [0.00012, '0.012 %'],
    [0.0043, '0.43 %'],
    [0.0312, '3.1 %'],
    [0.8666, '87 %'],
    [1, '100 %'],
    [-0.02, '−2 %'],
    [null, '–'],
  ])('%s reads %s', (v, want) => expect(f.percent(v)).toBe(want))

  it.each([
    ['clipping', 0.031, 0.001, '3.1 %', 'samples clipped'],
    ['clipping', 9.4, 11, '9.4 dB', 'peak factor'],
    ['clipping', -1.27, -0.9, '−1.27', 'peak bend'],
    ['hum', -57.2, -62, '−57.2 dBov', 'mains hum'],
    ['noise', -36.2, -41, '−36.2 dBov', 'noise floor'],
    ['noise', 12, 15, '12.0 dB', 'speech over noise'],
    ['quiet', -39.1, -36, '−39.1 dBov', 'active speech level'],
    ['dead', 41.3, 4, '41 s', 'silence'],
    ['dropout', 12, 5, '12 in 5 min', 'drop-outs'],
    ['crackle', 6.25, 6, '6.3 a minute', 'crackle'],
    ['hum', 17, 15, '17.0 dB', 'mains hum'],
    ['dc_offset', 0.02, 0.01, '2 %', 'offset'],
    ['something_new', null, null, '–', 'something new'],
  ])('%s of %s against %s reads %s, %s', (kind, value, limit, want, what) => {
    expect(f.measure(kind, value, limit)).toBe(want)
    expect(f.metric(kind, limit)).toBe(what)
  })

  it('writes bare numbers', () => {
    expect(f.plain(-40)).toBe('−40')
    expect(f.plain(0.1 + 0.2)).toBe('0.3')
  })

  it('places levels on a meter', () => {
    expect(f.onMeter(-90)).toBe(0)
    expect(f.onMeter(-35)).toBeCloseTo(0.5)
    expect(f.onMeter(3)).toBe(1)
    expect(f.onMeter(null)).toBe(0)
  })

  it.each([
    [null, 'silent'],
    [-40, 'quiet'],
    [-24, 'good'],
    [-12, 'loud'],
  ])('a level of %s is %s', (v, want) => expect(f.levelWord(v)).toBe(want))
})

describe('words', () => {
  it.each([
    [undefined, ''],
    [{ sip_call_id: 'x', to: '1000', trunk: 'carrier' }, ''],
    [{ headset: 'Demo H1/1004', last_resort: 'false', verdict: 'good' }, 'headset Demo H1/1004, verdict good'],
    [{ last_resort: 'true' }, 'as a last resort: nobody with a sound headset was free'],
    [{ cause: 'caller_hung_up' }, 'caller hung up'],
    [{ digit: '5', new_thing: 'on' }, 'digit 5, new thing on'],
    [{ cause: 'rejected', sip_status: '404' }, 'not taken, no queue has this number (SIP status 404)'],
    [{ sip_status: '503' }, 'SIP status 503'],
  ])('tells %j as %s', (detail, want) => expect(f.details(detail)).toBe(want))

  it('keeps a number and its unit together', () => {
    expect(f.prose('noise in 2 calls, -35.9 dBov (limit -41 dBov), 3 % more than-usual')).toBe(
      'noise in 2 calls, −35.9\u00a0dBov (limit −41\u00a0dBov), 3\u00a0% more than-usual',
    )
  })

  it('has one for everything, known or not', () => {
    expect(f.fault('dc_offset')).toBe('DC offset')
    expect(f.fault('wind_noise')).toBe('wind noise')
    expect(f.cause('abandoned')).toBe('Caller left while waiting')
    expect(f.cause('moon_phase')).toBe('moon phase')
    expect(f.cause(undefined)).toBe('–')
    expect(f.happening('offer_expired')).toBe('Not answered in time')
    expect(f.happening('blind_transfer')).toBe('blind transfer')
    expect(f.agentState('offered')).toBe('Ringing')
    expect(f.verdict('replace')).toBe('Replace')
    expect(f.headsetName({ model: '', serial: '7' })).toBe('Unnamed headset')
  })
})
