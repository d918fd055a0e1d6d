package sip

// Header is one header field of a request. Neither may hold a line break.
type Header struct{ Name, Value string }
