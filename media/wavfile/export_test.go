package wavfile

// Skip counts bytes as written that are not.
func (w *Writer) Skip(bytes int) { w.wav.WrittenBytes += bytes }

// Believe makes a Reader show go-audio files of at most so many bytes.
func (r *Reader) Believe(bytes int64) {
	if d, ok := r.samples.(*integers); ok {
		d.longest = bytes
	}
}
