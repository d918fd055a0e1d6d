// Package password turns sign-in passwords into argon2id hashes and checks them.
//
// A hash is a PHC string, so it carries its own costs and they can be raised later
// without a migration. The work is bounded: see Hasher.
package password
