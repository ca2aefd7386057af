package Bench::Messages;

# What is sent: of each kind a file of distinct messages, signed beforehand,
# which send.lua reads.  Receivers refuse what is older, or newer, than five
# minutes, so a file is made anew before that.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(time);

use Bench::Common qw($top %set dir slurp);

require "$top/tools/codat-send";

my $secret = CodatSend::random_bytes(32);
our $password = 'codat:' . CodatSend::letters(20);

use constant {
    RECORD => 31 + 44 + 36,     # id, signature, UUID
    AHEAD => 150,               # seconds that a message is dated into future
    OLDEST => 280,
};

# "rate": more than that in a second, no receiver takes
my %KIND = (
    signed => { event => 'invoices.write.successful' },
    '16k' => { event => 'invoices.write.successful', lines => 53,
               rate => 15_000 },
    '256k' => { event => 'invoices.write.successful', lines => 908,
                rate => 1_500 },
    basic => { event => 'invoices.write.successful', basic => 1 },
    legacy => { event => 'PushOperationStatusChanged', basic => 1 },
    unknown => { body => '{"id":"%u","eventType":"example.of.a.delivery",'
                     . '"payload":{}}', basic => 1 },
    malformed => { body => '{"id":"%u","eventType":' },
);

my %made;


sub secret_text { return 'whsec_' . encode_base64($secret, '') }


# of($kind): { path, n, body: bytes, good_for: seconds }

sub of {
    my ($kind, $needed) = @_;

    my $m = $made{$kind};
    return $m if $m && (!$m->{signed} || time + $needed < $m->{until});

    my $rate = $KIND{$kind}{rate} // 60_000;
    my $n = $set{messages} || $rate * ($set{seconds} + $set{warmup} + 1);
    print "preparing $n messages: $kind\n";

    return $made{$kind} = make($kind, $n, 'messages');
}


# make($kind, $n, $suffix): a file of its own

sub make {
    my ($kind, $n, $suffix) = @_;

    my $k = $KIND{$kind};
    my $m = template($k);
    my $body = $m->{body};
    my %header = map { @$_ } @{$m->{headers}};
    my $timestamp = $header{'webhook-timestamp'};
    $header{'webhook-signature'} = 'v1,%s' unless $k->{basic};

    my $length = length($body) + 34 * (() = $body =~ /%u/g);
    my $head = "POST /webhooks/codat HTTP/1.1\r\nHost: localhost\r\n"
        . join('', map { "$_->[0]: $header{$_->[0]}\r\n" } @{$m->{headers}})
        . "Content-Length: $length\r\n\r\n";

    my $path = dir() . "/$kind.$suffix";
    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh "$head$body\n--messages--\n";

    my @parts = split /%u/, $body, -1;
    my $run = CodatSend::letters(17);
    my $uuid_head = substr(CodatSend::uuid(), 0, 24);

    for my $i (1 .. $n) {
        my $id = sprintf('msg_%s%010d', $run, $i);
        my $uuid = sprintf('%s%012x', $uuid_head, $i);
        my $signature = $k->{basic} ? '-' x 44
            : encode_base64(hmac_sha256("$id.$timestamp."
                                        . join($uuid, @parts), $secret), '');
        print $fh $id, $signature, $uuid;
    }

    close($fh) or die "$path: $!\n";

    return { path => $path, n => $n, body => $length,
             signed => !$k->{basic},
             until => ($timestamp // 0) + OLDEST };
}


sub template {
    my ($k) = @_;

    # tags make it 1.2 KB; rule alerts have none, but longer names
    my %tags = map { ("reference$_" => "a value of $_ that belongs to it") }
        'A' .. 'L';
    my $error = 'The record was written, with a remark from the platform: '
        . 'see ' . 'the list of what was changed, ' x 18;

    my %what = $k->{body} ? (body => $k->{body})
        : (event => $k->{event}, event_id => '%u', push_key => '%u',
           tags => \%tags, error => $error);

    my $m = CodatSend::message(%what, $k->{basic}
        ? (authorization => 'Basic ' . encode_base64($password, ''))
        : (secrets => [secret_text()], id => '%i',
           clock => AHEAD));

    # the record that was written, with its lines
    $m->{body} =~ s/(?<="record":\{)/lines($k->{lines}) . ','/e
        if $k->{lines};

    return $m;
}


sub lines {
    my ($n) = @_;

    return '"lineItems":[' . join(',', map {
        sprintf('{"description":"Line %d: 3 boxes of \"A4\" paper, 80 g, '
            . 'caf\u00e9 ' . "\xc3\xa0" . ' la carte","unitAmount":%d.25,'
            . '"quantity":3,"discountAmount":0.00,"subTotal":%d.75,'
            . '"taxAmount":7.5,'
            . '"accountRef":{"id":"acc-%d","name":"Sales"},"tracking":['
            . '{"id":"dep-%d"},{"id":"dep-2"}],"isDirect":false,"note":null}',
            $_, $_, 3 * $_, $_ % 40, $_ % 7)
    } 1 .. $n) . ']';
}


# the request of message $i, as send.lua makes it

sub request {
    my ($messages, $i) = @_;

    open(my $fh, '<:raw', $messages->{path})
        or die "$messages->{path}: $!\n";
    local $/ = "\n--messages--\n";
    my $template = readline $fh;
    chomp $template;
    seek($fh, ($i - 1) * RECORD, 1);
    read($fh, my $record, RECORD) == RECORD
        or die "$messages->{path}: too short\n";
    my %value;
    @value{qw(i s u)} = unpack('A31 A44 A36', $record);

    return $template =~ s/%([isu])/$value{$1}/gr;
}


1;
