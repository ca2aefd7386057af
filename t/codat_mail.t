# tools/codat-mail hands messages to an SMTP server, a real one here, and says
# what has become of them.

use strict;
use warnings;
use utf8;

use lib 't/lib';
use CodatTest;
use CodatTest::Mail;
use Encode ();
use JSON::PP ();
use MIME::QuotedPrint qw(decode_qp);
use Test::More;

my $json = JSON::PP->new->utf8->canonical;


sub post {
    my ($mail, $body, %headers) = @_;

    my $response = CodatTest::Client->new(port => $mail->port, timeout => 20)
        ->request('POST', '/', { 'Content-Type' => 'application/json',
                                 Connection => 'close', %headers },
                  ref($body) ? $json->encode($body) : $body);

    return $response // die "no answer\n";
}


# status and error

sub said {
    my ($response) = @_;

    return join(' ', $response->status,
                $response->body eq '' ? () : $response->json->{error});
}


# (headers by name, text) of what has arrived

sub read_mail {
    my ($head, $body) = split(/\r?\n\r?\n/, $_[0], 2);
    $head =~ s/\r?\n[ \t]+/ /g;

    my %header = map { /^([^:]+): (.*?)\r?$/ ? (lc($1) => $2) : () }
        split(/\n/, $head);

    return (\%header, Encode::decode('UTF-8', decode_qp($body)));
}


subtest 'a message' => sub {
    my $mail = CodatTest::Mail->new(args => ['--to',
        'finance@example.com,ops@example.com']);

    is(said(post($mail, { subject => 'Bäckerei Müller & Söhne has shared its '
                          . 'data', text => "Zwölf\n.\n.. Zeilen\r\n= €" },
                 'webhook-id' => 'msg_4bT0mPzU')), 204, 'is taken');

    my ($header, $text) = read_mail(($mail->wait_messages(1))[0]);

    is(Encode::decode('MIME-Header', $header->{subject}),
       'Bäckerei Müller & Söhne has shared its data', 'subject');
    is($header->{from}, 'codat@hooks.example.com', 'sender');
    is($header->{to}, 'finance@example.com, ops@example.com', 'recipients');
    is($header->{'x-rcptto'}, 'finance@example.com, ops@example.com',
       'recipients of the envelope');
    is($header->{'message-id'}, '<msg_4bT0mPzU@hooks.example.com>',
       'its id is that of the webhook');
    like($header->{date}, qr/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/,
         'date');
    is($header->{'auto-submitted'}, 'auto-generated', 'no vacation answers');
    is($text =~ s/\r//gr, "Zwölf\n.\n.. Zeilen\n= €\n", 'text');
};


subtest 'texts add no headers' => sub {
    my $mail = CodatTest::Mail->new;

    is(said(post($mail, { subject => "A\r\nBcc: evil\@example.com\nX: y",
                          text => "\r\n.\r\nQUIT\r\n" },
                 'webhook-id' => "<x>\t\@evil")), 204, 'it is taken');

    my ($header, $text) = read_mail(($mail->wait_messages(1))[0]);

    is($header->{subject}, 'A Bcc: evil@example.com X: y', 'subject');
    is($header->{bcc}, undef, 'no header');
    is($header->{'x-rcptto'}, 'finance@example.com', 'no recipient');
    like($header->{'message-id'}, qr/^<[\d.]+\@hooks\.example\.com>$/,
         'an id of its own');
    like($text, qr/^\s*\.\s*QUIT\s*$/, 'text');
};


subtest 'recipients' => sub {
    my $mail = CodatTest::Mail->new(args => [qw(--to finance@example.com --to
        ops@example.com --to nobody@example.com --to later@example.com)]);
    my %text = (subject => 's', text => 't');

    is(said(post($mail, { %text, to => 'Ops@Example.com' })), 204, 'one');
    is(said(post($mail, { %text, to => ['ops@example.com',
                                        'finance@example.com'] })), 204,
       'a list');
    is(said(post($mail, { %text, to => 'evil@example.com' })),
       '403 a recipient is not among those of --to', 'a stranger');
    is(said(post($mail, { %text, to => ['ops@example.com', undef] })),
       '403 a recipient is not among those of --to', 'null');
    is(said(post($mail, { %text, to => [] })), '400 "to" names nobody',
       'nobody');
    is(said(post($mail, { %text, to => 'nobody@example.com' })),
       '422 RCPT of nobody@example.com was refused: 550 5.1.1 no such user',
       'refused for good');
    is(said(post($mail, { %text, to => 'later@example.com' })),
       '503 RCPT of later@example.com was refused: 450 4.2.0 greylisted',
       'refused for now');
    is(scalar(my @all = $mail->messages), 2, 'two were sent');
};


subtest 'bad requests' => sub {
    my $mail = CodatTest::Mail->new;
    my $client = sub { CodatTest::Client->new(port => $mail->port) };

    is(said(post($mail, '{"subject":')), '400 the body is no JSON object',
       'no JSON');
    is(said(post($mail, '[]')), '400 the body is no JSON object', 'no object');
    is(said(post($mail, { subject => 's' })), '400 "text" has to be a text',
       'no text');
    is(said(post($mail, { subject => ['s'], text => 't' })),
       '400 "subject" has to be a text', 'no subject');
    is(said($client->()->request('GET', '/', { Connection => 'close' })),
       '405 only POST is known', 'GET');
    is(said(post($mail, { subject => 's', text => 'x' x 300000 })),
       '413 the message is too long', 'too long for it');
    is(post($mail, { subject => 's', text => 'x' x 30000 })->status, 422,
       'too long for the SMTP server');
    is(scalar(my @all = $mail->messages), 0, 'nothing was sent');
};


subtest 'a server that is away' => sub {
    my $mail = CodatTest::Mail->new;
    my %text = (subject => 's', text => 't');

    $mail->stop_smtp;
    like(said(post($mail, \%text)), qr/^503 127\.0\.0\.1:\d+ can't be reached: /,
         'is to be tried again');

    $mail->start_smtp;
    is(said(post($mail, \%text)), 204, 'it is back');
};


subtest 'TLS and AUTH' => sub {
    my %text = (subject => 's', text => 't');

    my $mail = CodatTest::Mail->new(starttls => 1, user => 'codat',
                                    password => 'pass word$1');
    is(said(post($mail, \%text)), 204, 'by STARTTLS and AUTH');

    $mail = CodatTest::Mail->new(starttls => 1, user => 'codat',
                                 password => 'one', secret => 'another');
    like(said(post($mail, \%text)), qr/^503 AUTH was refused: 535 /,
         'with a wrong password');

    $mail = CodatTest::Mail->new(starttls => 1, args => [qw(--to
        finance@example.com --ca-file /etc/ssl/certs/ca-certificates.crt)]);
    like(said(post($mail, \%text)), qr/^503 no TLS: .*verify failed/,
         'a certificate of somebody else');
    is(scalar(my @all = $mail->messages), 0, 'nothing was sent');
};


subtest 'usage' => sub {
    my $tool = CodatTest::top() . '/tools/codat-mail';

    for my $bad ('', '--from a@example.com', '--from x --to a@example.com',
                 '--from a@example.com --to b@example.com --smtp example.com '
                 . '--tls off',
                 '--from a@example.com --to b@example.com --user u '
                 . '--password-file /dev/null',
                 '--from a@example.com --to b@example.com --tls no')
    {
        my $said = qx($^X $tool $bad 2>&1);
        is($? >> 8, 2, "codat-mail $bad") or diag($said);
    }

    like(qx($^X $tool --help), qr/^usage: codat-mail /, '--help');
};


done_testing();
