module process

go 1.25
