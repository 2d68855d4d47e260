FROM golang AS s0
ARG A=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
FROM s0 AS s1
ENV B1=$A$B0
FROM s1 AS s2
ENV B2=$A$B1
FROM s2 AS s3
ENV B3=$A$B2
FROM s3 AS s4
ENV B4=$A$B3
FROM s4 AS s5
ENV B5=$A$B4
FROM s5 AS s6
ENV B6=$A$B5
FROM s6 AS s7
ENV B7=$A$B6
FROM s7 AS s8
ENV B8=$A$B7
FROM s8 AS s9
ENV B9=$A$B8
FROM s9 AS s10
ENV B10=$A$B9
FROM s10 AS s11
ENV B11=$A$B10
FROM s11 AS s12
ENV B12=$A$B11
FROM s12 AS s13
ENV B13=$A$B12
FROM s13 AS s14
ENV B14=$A$B13
FROM s14 AS s15
ENV B15=$A$B14
FROM s15 AS s16
ENV B16=$A$B15
FROM s16 AS s17
ENV B17=$A$B16
FROM s17 AS s18
ENV B18=$A$B17
FROM s18 AS s19
ENV B19=$A$B18
FROM s19 AS s20
ENV B20=$A$B19
FROM s20 AS s21
ENV B21=$A$B20
FROM s21 AS s22
ENV B22=$A$B21
FROM s22 AS s23
ENV B23=$A$B22
FROM s23 AS s24
ENV B24=$A$B23
FROM s24 AS s25
ENV B25=$A$B24
FROM s25 AS s26
ENV B26=$A$B25
FROM s26 AS s27
ENV B27=$A$B26
FROM s27 AS s28
ENV B28=$A$B27
FROM s28 AS s29
ENV B29=$A$B28
FROM s29 AS s30
ENV B30=$A$B29
FROM s30 AS s31
ENV B31=$A$B30
FROM s31 AS s32
ENV B32=$A$B31
FROM s32 AS s33
ENV B33=$A$B32
FROM s33 AS s34
ENV B34=$A$B33
FROM s34 AS s35
ENV B35=$A$B34
FROM s35 AS s36
ENV B36=$A$B35
FROM s36 AS s37
ENV B37=$A$B36
FROM s37 AS s38
ENV B38=$A$B37
FROM s38 AS s39
ENV B39=$A$B38
FROM s39 AS s40
ENV B40=$A$B39
FROM s40 AS s41
ENV B41=$A$B40
FROM s41 AS s42
ENV B42=$A$B41
FROM s42 AS s43
ENV B43=$A$B42
FROM s43 AS s44
ENV B44=$A$B43
FROM s44 AS s45
ENV B45=$A$B44
FROM s45 AS s46
ENV B46=$A$B45
FROM s46 AS s47
ENV B47=$A$B46
FROM s47 AS s48
ENV B48=$A$B47
FROM s48 AS s49
ENV B49=$A$B48
FROM s49 AS s50
ENV B50=$A$B49
FROM s50 AS s51
ENV B51=$A$B50
FROM s51 AS s52
ENV B52=$A$B51
FROM s52 AS s53
ENV B53=$A$B52
FROM s53 AS s54
ENV B54=$A$B53
FROM s54 AS s55
ENV B55=$A$B54
FROM s55 AS s56
ENV B56=$A$B55
FROM s56 AS s57
ENV B57=$A$B56
FROM s57 AS s58
ENV B58=$A$B57
FROM s58 AS s59
ENV B59=$A$B58
FROM s59 AS s60
ENV B60=$A$B59
RUN go build -tags "ts_omit_aws,$B60" tailscale.com/cmd/tailscaled
