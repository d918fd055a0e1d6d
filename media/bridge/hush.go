package bridge

// Hush keeps what the first party says from the second, and from all guests, or lets it pass
// again; the second goes on being heard. Whoever ends a Hold meanwhile has to ask for it again.
func (b *Bridge) Hush(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hushed = on
	b.fromA.hold(on)
	if b.conf != nil {
		b.conf.hush(on)
	}
}

// hush keeps what the first leg says from everybody.
func (c *conference) hush(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.a.hushed = on
}
