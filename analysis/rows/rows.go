// Package rows finds what the weights of the rows of a table are worth ([Weights]) and
// which rows are copies of each other ([Copies]).
package rows
