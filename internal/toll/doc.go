// Package toll decides who may call where. What was typed becomes a number; the number has a
// class of destination; the class is open to a role or it is not; and what is open has limits,
// because a stolen password is worth as much as the calls that can be placed with it. What
// nobody opened is closed. Emergency numbers are open to everybody, always.
//
// Decide is pure: rules, request, usage and time go in, and a permit or a refusal in words
// comes out. Service is the shell around it: it keeps the usage in the store, in one
// transaction with the decision, counts and logs.
//
// What a number is comes from three places. That +870, +881, +882 and +883 are satellites and
// international networks, and +808, +878, +888 and +979 services that any price can be asked
// for, is ITU-T's list of assigned country codes (Annex to ITU Operational Bulletin No. 1114,
// complement to Recommendation E.164; E.164.1 for +979 and its like). Which numbers of a
// country are mobile, free, or at a premium is Google's libphonenumber, as is which short
// numbers are for emergencies; it follows the countries' numbering plans that ITU publishes
// (E.129). Both age: a number that neither knows is of no class, and refused.
package toll
