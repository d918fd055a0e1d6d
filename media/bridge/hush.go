package bridge

// Hush keeps what the first party says from the second, or lets it pass again; the second goes
// on being heard. Whoever ends a Hold meanwhile has to ask for it again.
func (b *Bridge) Hush(on bool) { b.fromA.hold(on) }
