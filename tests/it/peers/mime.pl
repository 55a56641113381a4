# What MIME-tools reads in a message, as JSON: mime.pl MAIL.
use strict; use warnings; use utf8;
use MIME::Parser; use MIME::WordDecoder; use Digest::SHA qw(sha256_hex); use JSON::PP; use Encode;
my $parser = MIME::Parser->new; $parser->output_to_core(1); $parser->tmp_to_core(1);
my $mail = $parser->parse_open($ARGV[0]);
sub words { my $text = shift; return undef unless defined $text; $text =~ s/\r?\n[ \t]/ /g; chomp $text; return Encode::decode('MIME-Header', $text) }
my @parts;
sub walk {
  my $part = shift;
  if ($part->parts) { push @parts, { type => $part->effective_type, name => undef, sha256 => undef }; walk($_) for $part->parts; return }
  my $body = $part->bodyhandle->as_string; $body =~ s/\r\n/\n/g if $part->effective_type =~ m{^text/};
  my $name = $part->head->recommended_filename;
  if (defined $name && !Encode::is_utf8($name)) { my $raw = eval { Encode::decode('UTF-8', $name, Encode::FB_CROAK) }; $name = $raw if defined $raw }
  push @parts, { type => $part->effective_type, name => $name, sha256 => sha256_hex($body) };
}
walk($mail);
print JSON::PP->new->utf8->encode({ subject => words($mail->head->get('Subject')), parts => \@parts });
