# file:PATH in place of a secret

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;
use Fcntl ();
use POSIX ();

our $secret = 'whsec_b25lIHNlY3JldCBvZiAzMiBieXRlcyBsZW5ndGggIQ==';
our $other = 'whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aCE=';
our ($private, $public) = keypair();
our $body = '{"id":"e-1","eventType":"invoices.write.successful","payload":{}}';
our $accepted
    = '{"id":"e-1","type":"invoices.write.successful","result":"accepted"}';
our $now;
our $file = server_root() . '/conf/codat.secret';

# a block's "--- secrets" is what the file holds, "--- mode" its mode;
# "--- make" is code that makes something else of that name

sub make {
    my $block = shift;

    if (-l $file || -p $file || -f $file) { unlink($file) }
    elsif (-d $file) { rmdir($file) }

    return $block->make->($file) if defined $block->make;
    return if !defined $block->secrets;

    open(my $fh, '>:raw', $file) or die "$file: $!\n";
    print $fh $block->secrets;
    close($fh);
    chmod(oct($block->mode // '0600'), $file);
}

add_block_preprocessor(sub {
    my $block = shift;
    $::now = $block;
    $block->set_value(post_setup_server_root => 'main::make($main::now)');
});

my @secrets = ('t0ken', 'pa55', 's3cret', '# n0t', map { s/^wh[a-z]+_//r }
               $secret, $other, $public);
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
our %only = map {
    my ($uri, $kind) = @$_;
    $uri => "location /$uri { codat_webhook zone=codat;
                              codat_credential $kind file:$file; }";
} ['webhook', 'signature'], ['basic', 'basic'], ['bearer', 'bearer'],
  ['header', 'header X-Key'];
my $config = $only{webhook};

webhook_blocks(http => $http, config => $config, secrets => \@secrets);


# "--- emerg" has the lines, each whole but for the place in the file, with
# which nginx refuses the configuration

add_block_preprocessor(sub {
    my $block = shift;
    my $emerg = $block->emerg // return;

    $emerg =~ s,\$FILE\b,$file,g;
    $emerg =~ s,\$DIR\b,server_root() . "/conf",ge;
    $block->set_value(must_die => '');
    $block->set_value(suppress_stderr => '');
    $block->set_value(no_error_log => ['[alert]', '[crit]', @secrets]);
    $block->set_value(error_log => [map {
        qr/\[emerg\] \d+#\d+: \Q$_\E(?: \(\d+: [^()]*\))?(?: in \S+:\d+)?$/
    } CORE::split(/\n/, $emerg)]);
});


run_tests();

__DATA__

=== TEST 1: signature: several secrets, comments, blank lines, CRLF, blanks around
--- secrets eval
"# old\r\n\r\n  $::other \t\r\n\n#$::private\n\t# indented\n$::public\r\n   \n$::secret"
--- request eval: [("POST /webhook\n$::body") x 4]
--- more_headers eval
my ($stranger) = keypair();
[map { signed_headers($_, $::body) } $::secret, $::other, $::private, $stranger]
--- error_code eval: [(200) x 3, 401]
--- problem eval: [('') x 3, 'signature_mismatch']
--- response_body_like eval: [("^\Q$::accepted\E\$") x 3, 'mismatch']


=== TEST 2: a secret that is commented out does not sign
--- secrets eval: "#$::other\n# $::other\n$::secret\n"
--- request eval: [("POST /webhook\n$::body") x 2]
--- more_headers eval: [map { signed_headers($_, $::body) } $::other, $::secret]
--- error_code eval: [401, 200]
--- problem eval: ['signature_mismatch', '']
--- response_body_like eval: ['mismatch', "^\Q$::accepted\E\$"]


=== TEST 3: basic: USER:PASSWORD lines
--- config eval: $::only{basic}
--- secrets
# n0t
codat:pa55
 second:pa55:with:colons and blank 
--- request eval: [("POST /basic\n$::body") x 5]
--- more_headers eval
[map { 'Authorization: ' . basic(@$_) } ['codat', 'pa55'], ['second', 'pa55:with:colons and blank'],
 ['# n0t', ''], ['codat', 'pa55 '], ['', '']]
--- error_code eval: [200, 200, (401) x 3]
--- problem eval: ['', '', ('credential_mismatch') x 3]
--- response_body_like eval: [("^\Q$::accepted\E\$") x 2, ('mismatch') x 3]


=== TEST 4: bearer: a token per line
--- config eval: $::only{bearer}
--- secrets eval: "t0ken-1\r\nt0ken-2\r\n"
--- request eval: [("POST /bearer\n$::body") x 4]
--- more_headers eval
[map { "Authorization: Bearer $_" } 't0ken-1', 't0ken-2', 't0ken-3', 't0ken-1 t0ken-2']
--- error_code eval: [200, 200, 401, 401]
--- problem eval: ['', '', ('credential_mismatch') x 2]
--- response_body_like eval: [("^\Q$::accepted\E\$") x 2, ('mismatch') x 2]


=== TEST 5: header: a value per line, and variables are not looked for in it
--- config eval: $::only{header}
--- secrets
s3cret-1
s3cret-$host$
--- request eval: [("POST /header\n$::body") x 3]
--- more_headers eval
[map { "X-Key: $_" } 's3cret-1', 's3cret-$host$', 's3cret-localhost']
--- error_code eval: [200, 200, 401]
--- problem eval: ['', '', 'credential_mismatch']
--- response_body_like eval: [("^\Q$::accepted\E\$") x 2, 'mismatch']


=== TEST 6: a file goes together with secrets in the configuration
--- config eval
"location /webhook { codat_webhook zone=codat; codat_credential signature $::other;
                     codat_credential signature file:$::file; }"
--- secrets eval: $::secret
--- request eval: [("POST /webhook\n$::body") x 2]
--- more_headers eval: [map { signed_headers($_, $::body) } $::secret, $::other]
--- error_code eval: [200, 200]
--- response_body eval: [("$::accepted") x 2]


=== TEST 7: a relative path is taken from the configuration's folder
--- config
location /webhook { codat_webhook zone=codat;
                    codat_credential signature file:codat.secret; }
--- secrets eval: $::secret
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::secret, $::body)
--- response_body eval: $::accepted


=== TEST 8: the group may read it
--- mode: 0640
--- secrets eval: $::secret
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::secret, $::body)
--- response_body eval: $::accepted


=== TEST 9: world-readable: refused
--- mode: 0604
--- secrets eval: $::secret
--- emerg
"codat_credential" file "$FILE" is open to all users of this machine, "chmod o= $FILE" closes it


=== TEST 10: world-writable: refused
--- mode: 0602
--- secrets eval: $::secret
--- emerg
"codat_credential" file "$FILE" is open to all users of this machine, "chmod o= $FILE" closes it


=== TEST 11: missing: refused
--- emerg
"codat_credential" can't open file "$FILE"


=== TEST 12: empty: refused
--- secrets eval: ''
--- emerg
"codat_credential" file "$FILE" holds no secret, one per line is expected


=== TEST 13: only comments and blanks: refused
--- secrets eval: "# n0t\r\n\n   \n\t\n#"
--- emerg
"codat_credential" file "$FILE" holds no secret, one per line is expected


=== TEST 14: a directory: refused
--- make eval: sub { mkdir($_[0], 0700) or die }
--- emerg
"codat_credential" file "$FILE" is not a regular file


=== TEST 15: a named pipe: refused, and not waited for
--- make eval: sub { POSIX::mkfifo($_[0], 0600) or die }
--- emerg
"codat_credential" file "$FILE" is not a regular file


=== TEST 16: a device: refused
--- config
location /webhook { codat_webhook zone=codat;
                    codat_credential signature file:/dev/zero; }
--- emerg
"codat_credential" file "/dev/zero" is not a regular file


=== TEST 17: a link is followed, what it leads to counts
--- make eval
sub { symlink("$_[0].real", $_[0]); open(my $fh, '>', "$_[0].real"); print $fh $::secret;
      close($fh); chmod(0644, "$_[0].real") }
--- emerg
"codat_credential" file "$FILE" is open to all users of this machine, "chmod o= $FILE" closes it


=== TEST 18: larger than 64 KB: refused
--- secrets eval: "$::secret\n" x 1300
--- emerg
"codat_credential" file "$FILE" is larger than 65536 bytes


=== TEST 19: exactly 64 KB: read to its end
--- secrets eval: ('#' x (65535 - length $::secret)) . "\n$::secret"
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::secret, $::body)
--- response_body eval: $::accepted


=== TEST 20: a line that is no base64: refused, not shown
--- secrets eval: "$::secret\nwhsec_s3cret-!\n"
--- emerg
"codat_credential signature" has a secret that is not base64, "whsec_BASE64" or "whpk_BASE64" is expected
"codat_credential" refused a line of file "$FILE"


=== TEST 21: basic: a line without a password: refused, not shown
--- config eval: $::only{basic}
--- secrets
codat:pa55
s3cret
--- emerg
"codat_credential basic" needs USER:PASSWORD, neither of them empty
"codat_credential" refused a line of file "$FILE"


=== TEST 22: no path: refused
--- config
location /webhook { codat_webhook zone=codat; codat_credential signature file:; }
--- emerg
"codat_credential" file "$DIR/" is not a regular file


=== TEST 23: a variable in a path is part of the name
--- config
location /webhook { codat_webhook zone=codat;
                    codat_credential signature file:/nowhere/$host; }
--- emerg
"codat_credential" can't open file "/nowhere/$host"


=== TEST 24: an odd size of a key in a file is a warning
--- secrets: c2hvcnQ=
--- suppress_stderr
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers('c2hvcnQ=', $::body)
--- response_body eval: $::accepted
--- logged: ^\S+ \S+ \[warn\] \S+ "codat_credential signature" has a secret of 5 bytes, 24 to 64 are usual in \S+:\d+\n$
