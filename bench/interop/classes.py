"""Prints rootio/classes.tsv: how the ROOT at hand describes the classes in our files. check.py compares.

A class is a line with its name, version and checksum. A line for each of its members follows, which starts with a
tab: the class of the description, name, title, type, size, length, number of dimensions, these (of a base, its
checksum), the type in C++; and the version of a base, or what counts an array (version, name, class), or the types of a
collection."""

import ROOT

CLASSES = """ROOT::TIOFeatures TArray TArrayD TArrayI TAttAxis TAttFill TAttLine TAttMarker TAxis TBranch TBranchElement TCollection
TFriendElement TH1 TH1D TLeaf TLeafB TLeafD TLeafD32 TLeafElement TLeafF TLeafF16 TLeafI TLeafL TLeafO TLeafS TList
TNamed TObjArray TObjString TObject TParameter<double> TParameter<float> TParameter<int> TParameter<Long64_t> TSeqCollection TTree ROOT::RNTuple"""


def lines():
    for name in sorted(CLASSES.split()):
        info = ROOT.TClass.GetClass(name).GetStreamerInfo()
        version = abs(info.GetClassVersion())  # 1 on file where a class has none
        yield f"{name}\t{version}\t{info.GetCheckSum() & 0xFFFFFFFF:#010x}"
        for e in info.GetElements():
            more = []
            if e.InheritsFrom("TStreamerBase"):
                more = [e.GetBaseVersion()]
            elif e.InheritsFrom("TStreamerBasicPointer") or e.InheritsFrom("TStreamerLoop"):
                more = [e.GetCountVersion(), e.GetCountName(), e.GetCountClass()]
            elif e.InheritsFrom("TStreamerSTL"):
                more = [e.GetSTLtype(), e.GetCtype()]
            dims = " ".join(str(e.GetMaxIndex(i)) for i in range(5))
            yield "\t".join(map(str, ["", e.ClassName(), e.GetName(), e.GetTitle(), e.GetType(), e.GetSize(), e.GetArrayLength(), e.GetArrayDim(), dims, e.GetTypeName(), *more]))


if __name__ == "__main__":
    print(*lines(), sep="\n")
