// Package rows knows two things about the rows of a table that every judgement of a
// sample needs: what their weights are worth ([Weights]), and which of them are copies of
// each other ([Copies]).
package rows
