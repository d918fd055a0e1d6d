package carrier

// Route gives the trunks that a call would go out by. Those of one priority, among which Dial
// draws lots by weight, stand in no order that means anything.
func Route(trunks []Trunk, o Order) []string {
	c := Carrier{trunks: trunks, draw: func(int) int { return 0 }}
	var names []string
	for _, t := range c.choose(o) {
		names = append(names, t.ID)
	}
	return names
}
