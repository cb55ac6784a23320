package dense

import "fmt"

// Activation names the function that a layer applies to each of its outputs.
type Activation uint8

// The activations, with the derivative in terms of what [GradInput] gets.
const (
	None      Activation = iota // y = z
	ReLU                        // y = max(0, z); y' = 1 where y > 0, else 0
	LeakyReLU                   // y = z where z > 0, else 0.01·z; y' = 1 where y > 0, else 0.01
	SiLU                        // y = z·σ(z), σ(z) = 1/(1+exp(−z)); y' = σ(z)·(1 + z·(1−σ(z)))
	Tanh                        // y = tanh(z); y' = 1 − y²
)

// slope is that of LeakyReLU below zero.
const slope = 0.01

var activationNames = [...]string{"none", "relu", "leaky_relu", "silu", "tanh"}

// String returns the activation's name: none, relu, leaky_relu, silu or tanh.
func (a Activation) String() string {
	if int(a) < len(activationNames) {
		return activationNames[a]
	}
	return fmt.Sprintf("Activation(%d)", uint8(a))
}

// MarshalText returns the activation's name. An unknown activation is an error.
func (a Activation) MarshalText() ([]byte, error) {
	if int(a) >= len(activationNames) {
		return nil, fmt.Errorf("dense: unknown activation %d", uint8(a))
	}
	return []byte(activationNames[a]), nil
}

// UnmarshalText sets the activation by its name. An unknown name is an error
// and leaves the activation as it was.
func (a *Activation) UnmarshalText(text []byte) error {
	for i, name := range activationNames {
		if string(text) == name {
			*a = Activation(i)
			return nil
		}
	}
	return fmt.Errorf("dense: unknown activation %q: want one of %q", text, activationNames)
}
