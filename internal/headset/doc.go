// Package headset turns the reports of many calls into a verdict on one headset.
//
// Judge is the deciding half: arithmetic on what is recorded, without a clock, a store or
// a log, so that the same history always gives the same verdict and every verdict can be
// explained afterwards. Service is the thin shell around it: it makes a report durable,
// judges, stores the verdict and tells those who route calls and draw screens.
package headset
