package trees

import (
	"errors"
	"fmt"

	"github.com/eidolon-hep/eidolon/training"
)

// The tensors of a forest: the numbers of nodes of its trees, and for each node the feature, the left node in its tree, the
// threshold and the value.
const (
	treeSizes = "sizes"
	treeNodes = "nodes"
	perNode   = 4
)

// Tensors returns the forest as tensors.
func (f *Forest) Tensors() []training.Tensor {
	sizes, nodes := []float32{}, []float32{}
	for _, t := range f.Trees {
		sizes = append(sizes, float32(len(t)))
		for _, n := range t {
			nodes = append(nodes, float32(n.Feature), float32(n.Left), n.Threshold, n.Value)
		}
	}
	return []training.Tensor{
		{Name: treeSizes, Shape: []int{len(sizes)}, Value: sizes},
		{Name: treeNodes, Shape: []int{len(nodes) / perNode, perNode}, Value: nodes},
	}
}

// Load returns the forest of these tensors, for events of dim features. What was loaded is sound.
func Load(tensors []training.Tensor, dim int) (*Forest, error) {
	byName := map[string][]float32{}
	for _, t := range tensors {
		byName[t.Name] = t.Value
	}
	sizes, values := byName[treeSizes], byName[treeNodes]
	if len(tensors) != 2 || len(byName) != 2 || sizes == nil || values == nil {
		return nil, errors.New("the trees are damaged")
	}
	f := &Forest{}
	for k, size := range sizes {
		n := int(size)
		if !(size >= 1 && size == float32(n) && n <= len(values)/perNode) {
			return nil, fmt.Errorf("tree %d has %g nodes", k, size)
		}
		nodes := make([]Node, n)
		for i := range nodes {
			v := values[i*perNode : (i+1)*perNode]
			for _, x := range v[:2] {
				if !(x >= 0 && x < max(float32(n), float32(dim))) {
					return nil, fmt.Errorf("tree %d has a node of %v", k, v)
				}
			}
			nodes[i] = Node{Feature: int32(v[0]), Left: int32(v[1]), Threshold: v[2], Value: v[3]}
		}
		f.Trees, values = append(f.Trees, nodes), values[n*perNode:]
	}
	if len(values) > 0 {
		return nil, errors.New("there are more nodes than trees have")
	}
	return f, f.Check(dim)
}
