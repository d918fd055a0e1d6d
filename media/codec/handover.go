package codec

// HandOver has enc go on with a stream that dec has decoded so far, so that whoever decodes
// the stream notices no change of encoder. Of the codecs here G.722 alone needs it: both its
// ends adapt by what they have made themselves. For others it does nothing.
func HandOver(enc Encoder, dec Decoder) {
	e, ok := enc.(*g722Encoder)
	if !ok {
		return
	}
	d, ok := dec.(*g722Decoder)
	if !ok {
		return
	}
	e.low, e.high = d.low, d.high
	recent := d.plc.history[len(d.plc.history)-len(e.x):]
	for i, x := range recent {
		e.x[i] = int(toInt16(x))
	}
}
