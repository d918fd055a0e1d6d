package model

import "time"

// TrunkNumbers is how a trunk writes telephone numbers. Without a country they are left alone.
type TrunkNumbers struct {
	Country       string `yaml:"country" json:"country,omitempty"`
	National      string `yaml:"national" json:"national,omitempty"`
	International string `yaml:"international" json:"international,omitempty"` // empty = "00"
	Bare          string `yaml:"bare" json:"bare,omitempty"`                   // keep (also when empty), e164, national
	Short         int    `yaml:"short" json:"short,omitempty"`                 // 0 = 6
}

// TrunkLimits bound what goes over a trunk, both ways together; 0 is no limit.
type TrunkLimits struct {
	Calls     int `yaml:"calls" json:"calls,omitempty"`
	PerSecond int `yaml:"per_second" json:"per_second,omitempty"`
}

// TrunkOutbound is how calls go out by a trunk; without targets none do.
type TrunkOutbound struct {
	Targets      []TrunkTarget `yaml:"targets" json:"targets,omitempty"`
	Username     string        `yaml:"username" json:"username,omitempty"`
	Password     Secret        `yaml:"password" json:"password,omitempty"`
	Domain       string        `yaml:"domain" json:"domain,omitempty"`
	Prefixes     []string      `yaml:"prefixes" json:"prefixes,omitempty"`
	Priority     int           `yaml:"priority" json:"priority,omitempty"`
	Weight       int           `yaml:"weight" json:"weight,omitempty"`
	NumberFormat string        `yaml:"number_format" json:"number_format,omitempty"` // plus (also when empty), digits, dialled, prefixed
	Identity     string        `yaml:"identity" json:"identity,omitempty"`           // none (also when empty), asserted, preferred, remote
	FromAccount  bool          `yaml:"from_account" json:"from_account,omitempty"`
	HistoryInfo  bool          `yaml:"history_info" json:"history_info,omitempty"`
	FirstReply   time.Duration `yaml:"first_reply" json:"first_reply,omitempty"` // 0 = 4 s
	KeepAlive    time.Duration `yaml:"keep_alive" json:"keep_alive,omitempty"`   // 0 = off
	Register     TrunkRegister `yaml:"register" json:"register,omitzero"`
}

// TrunkTarget is a server of a trunk.
type TrunkTarget struct {
	URI      string `yaml:"uri" json:"uri"`
	Priority int    `yaml:"priority" json:"priority,omitempty"`
	Weight   int    `yaml:"weight" json:"weight,omitempty"`
}

// TrunkRegister is how this side is registered at a trunk.
type TrunkRegister struct {
	Enabled   bool          `yaml:"enabled" json:"enabled,omitempty"`
	Registrar string        `yaml:"registrar" json:"registrar,omitempty"` // empty = the first target
	User      string        `yaml:"user" json:"user,omitempty"`           // empty = the username
	Expires   time.Duration `yaml:"expires" json:"expires,omitempty"`     // 0 = 10 min
}

// Contact is the user part that a registered trunk sends its calls to; "" without one.
func (o TrunkOutbound) Contact() string {
	switch {
	case !o.Register.Enabled:
		return ""
	case o.Register.User != "":
		return o.Register.User
	}
	return o.Username
}
