// Package ladder keeps the SIP messages of one call, so that somebody can see afterwards
// what was said: which message went where and when, its headers and its session
// description. What is nobody's business stays out of it from the beginning: passwords'
// proofs, media keys, digits that were dialled in the call. It is bounded in messages and in
// bytes, whatever the other side sends.
package ladder
