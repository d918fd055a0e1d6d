package wavfile

// Skip counts bytes as written that are not.
func (w *Writer) Skip(bytes int) { w.wav.WrittenBytes += bytes }
