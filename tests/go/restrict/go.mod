module restrict

go 1.25
