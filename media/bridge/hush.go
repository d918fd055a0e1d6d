package bridge

// Hush keeps what the first party says from the second and from guests, or lets it pass again; it
// goes on hearing all of them, and the taps what it says, marked as held.
func (b *Bridge) Hush(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hushed = on
	if b.conf != nil {
		b.conf.hush(on)
	}
	if !b.held {
		b.fromA.hold(on)
	}
}

func (c *conference) hush(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.a.hushed = on
}
