// Package headset puts the meters together: frames of one microphone go in, a Reading a
// second and a Report at the end come out.
package headset
