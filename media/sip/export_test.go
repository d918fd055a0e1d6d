package sip

// StateTable gives the states, the requests, and what each gets in each, by name.
func StateTable() map[string]map[string]int {
	out := make(map[string]map[string]int)
	for s := range states {
		out[s.String()] = make(map[string]int)
		for k := range kinds {
			out[s.String()][k.String()] = stateTable[s][k].status
		}
	}
	return out
}
