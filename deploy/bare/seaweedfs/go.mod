// Pins what `stage` builds `weed` from.
module lakehouse/bare-seaweedfs

go 1.22

require github.com/seaweedfs/seaweedfs v0.0.0-20230109022022-51d4a4b28d0e
