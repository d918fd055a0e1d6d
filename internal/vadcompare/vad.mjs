// node vad.mjs fvad MODE | silero, in a folder with the packages of outside.go installed.
// Reads names of WAV files (16 kHz, 16 bit, mono, a header of 44 bytes), one a line; prints
// for each a line of 0 and 1, one for every 20 ms, and last the nanoseconds of processor
// time that one of them took.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const [what, mode] = process.argv.slice(2)
const samples = (file) => {
  const data = readFileSync(file)
  return new Int16Array(data.buffer.slice(data.byteOffset + 44, data.byteOffset + data.length))
}

async function fvad() {
  const { default: load } = await import('@echogarden/fvad-wasm')
  const m = await load()
  const pcm = m._malloc(640)
  return (x) => {
    const vad = m._fvad_new()
    m._fvad_set_sample_rate(vad, 16000)
    m._fvad_set_mode(vad, Number(mode))
    let said = ''
    for (let i = 0; i + 320 <= x.length; i += 320) {
      m.HEAP16.set(x.subarray(i, i + 320), pcm >> 1)
      said += m._fvad_process(vad, pcm, 320) === 1 ? '1' : '0'
    }
    m._fvad_free(vad)
    return said
  }
}

// Silero takes 512 samples at a time, with 64 of those before; a block of 20 ms is speech
// when the piece that its middle lies in has a probability of a half, or one within 160 ms
// before it: the hangover that the others have of their own.
async function silero() {
  const ort = await import('onnxruntime-web')
  ort.env.wasm.numThreads = 1
  const model = createRequire(import.meta.url).resolve('@ricky0123/vad-web/dist/silero_vad_v6.onnx')
  const session = await ort.InferenceSession.create(readFileSync(model))
  const sr = new ort.Tensor('int64', [16000n], [])
  return async (x) => {
    let state = new ort.Tensor('float32', new Float32Array(256), [2, 1, 128])
    const input = new Float32Array(576)
    const likely = []
    for (let i = 0; i + 512 <= x.length; i += 512) {
      input.copyWithin(0, 512)
      for (let k = 0; k < 512; k++) input[64 + k] = x[i + k] / 32768
      const out = await session.run({ input: new ort.Tensor('float32', input, [1, 576]), state, sr })
      state = out.stateN
      likely.push(out.output.data[0] >= 0.5)
    }
    let said = ''
    let hang = 0
    for (let i = 0; i + 320 <= x.length; i += 320) {
      hang = likely[Math.min(likely.length - 1, Math.floor((i + 160) / 512))] ? 9 : hang - 1
      said += hang > 0 ? '1' : '0'
    }
    return said
  }
}

const listen = what === 'fvad' ? await fvad() : await silero()
let blocks = 0
const before = process.cpuUsage()
for (const file of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const said = await listen(samples(file))
  blocks += said.length
  console.log(said)
}
const { user, system } = process.cpuUsage(before)
console.log(Math.round(((user + system) * 1000) / blocks))
