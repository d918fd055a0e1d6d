package model

import (
	"net/netip"
	"time"
)

// UserPhone is how a user's SIP phones show who they are; without a password there are none.
type UserPhone struct {
	Username  string       `yaml:"username" json:"username,omitempty"` // empty = the user's name
	Password  Secret       `yaml:"password" json:"password,omitempty"`
	Codecs    []string     `yaml:"codecs" json:"codecs,omitempty"`         // PCMU, PCMA, G722; preferred first; empty = the first two
	MediaKeys MediaKeys    `yaml:"media_keys" json:"media_keys,omitempty"` // empty = optional
	Headset   PhoneHeadset `yaml:"headset" json:"headset,omitzero"`
}

// PhoneHeadset is the headset at a phone, which cannot tell itself.
type PhoneHeadset struct {
	Model  string `yaml:"model" json:"model,omitempty"` // empty = what the phone calls itself
	Serial string `yaml:"serial" json:"serial,omitempty"`
}

// PhoneUsername is what the user's phones register as.
func (u User) PhoneUsername() string {
	if u.Phone.Username != "" {
		return u.Phone.Username
	}
	return string(u.ID)
}

// HasPhone says that phones may register as the user, who may take calls on them.
func (u User) HasPhone() bool { return u.Phone.Password != "" && u.Has(RoleAgent) }

// PhoneRules hold for all users' phones.
type PhoneRules struct {
	Digest       string       `yaml:"digest" json:"digest,omitempty"`              // md5 (also when empty), sha-256
	FeatureCodes FeatureCodes `yaml:"feature_codes" json:"feature_codes,omitzero"` // zero = the default ones
}

// The algorithms that phones are asked to prove their password by.
const (
	PhoneMD5    = "md5"
	PhoneSHA256 = "sha-256" // or MD5, should the phone choose that
)

// FeatureCodes are what is dialled on a phone to change its user's state.
type FeatureCodes struct {
	Ready   string `yaml:"ready" json:"ready"`
	Break   string `yaml:"break" json:"break"`
	SignOut string `yaml:"sign_out" json:"sign_out"`
	WrapUp  string `yaml:"end_wrap_up" json:"end_wrap_up"`
}

// DefaultFeatureCodes are those of a site that names none.
func DefaultFeatureCodes() FeatureCodes {
	return FeatureCodes{Ready: "*10", Break: "*11", SignOut: "*12", WrapUp: "*13"}
}

// PhoneBinding is one registration of a user's phone (RFC 3261 section 10).
type PhoneBinding struct {
	User      AgentID
	Contact   string // URI
	Q         int    // thousandths
	CallID    string // of the REGISTER
	CSeq      uint32
	Transport string
	Source    netip.AddrPort
	UserAgent string
	Since     time.Time
	Expires   time.Time
	Seal      string // of the login that it was made by; opaque
	Instance  string // which device it says that it is; may be empty
}

// PhoneState is the last word of a user by phone.
type PhoneState struct {
	User   AgentID
	State  AgentState // Ready, Break or Offline
	Reason string     // of a break
}
