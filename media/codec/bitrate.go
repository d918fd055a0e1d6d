package codec

// SetBitRate makes an encoder keep to so many bit/s; 0 is what it began with. Only Opus has a
// choice: of others it changes nothing. Silence is not left out (DTX): libopus takes a steady
// tone for silence, a ringing tone for one, and at 12 kbit/s there is little to be saved.
func SetBitRate(e Encoder, bitRate int) {
	o, ok := e.(*opusEncoder)
	if !ok {
		return
	}
	if bitRate == 0 {
		bitRate = opusBitrateWB
		if o.rate == 48000 {
			bitRate = opusBitrateFB
		}
	}
	// It does not fail for what libopus takes: 500 to 512000 bit/s (its opus_defines.h).
	_ = o.enc.SetBitrate(min(max(bitRate, 6000), 64000))
}
